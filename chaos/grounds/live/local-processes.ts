import {
  type LocalCluster,
  type LocalNode,
  nodeProgram,
  pidOf,
  startNodeProcess,
  stopNodeProcess,
  unsealWithShares,
} from '../../../src/cli/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import { strongroomProgram } from '../../heal/heal-step.ts';
import type { ProcessLever } from '../levers.ts';
import { machineClock } from '../machine-clock.ts';
import { sleep } from '../sleep.ts';

const LOOK_MS = 20;
const GONE_MS = 10_000;

/** The nodes of a cluster of `strongroom up`, by signals to their processes. */
export class LocalProcesses implements ProcessLever {
  readonly #cluster: LocalCluster;
  readonly #healPlan: HealPlan;
  readonly #paused = new Map<string, number>();
  readonly #ended = new Set<string>();

  constructor(cluster: LocalCluster, healPlan: HealPlan) {
    this.#cluster = cluster;
    this.#healPlan = healPlan;
  }

  async kill(name: string): Promise<void> {
    const node = this.#node(name);
    this.#planStart(name);
    const pid = pidOf(node);
    if (pid === undefined) return;
    process.kill(pid, 'SIGKILL');
    const deadline = machineClock.monotonicMs() + GONE_MS;
    while (pidOf(node) === pid) {
      if (machineClock.monotonicMs() > deadline) throw new Error(`Process ${pid} does not end`);
      await sleep(machineClock, LOOK_MS);
    }
  }

  async stop(name: string): Promise<void> {
    this.#planStart(name);
    await stopNodeProcess(this.#node(name));
  }

  async start(name: string): Promise<void> {
    if (!this.#ended.has(name)) return;
    const node = this.#node(name);
    const { signal } = new AbortController();
    await startNodeProcess(node, nodeProgram(strongroomProgram), signal);
    await unsealWithShares(this.#cluster, node, signal);
    this.#ended.delete(name);
    this.#healPlan.remove(`start ${name}`);
  }

  pause(name: string): Promise<void> {
    const pid = pidOf(this.#node(name));
    if (pid === undefined) return Promise.reject(new Error(`${name} does not run`));
    this.#healPlan.add({
      id: `resume ${name}`,
      what: `let ${name} go on`,
      kind: 'command',
      command: ['kill', '-CONT', String(pid)],
    });
    this.#paused.set(name, pid);
    process.kill(pid, 'SIGSTOP');
    return Promise.resolve();
  }

  resume(name: string): Promise<void> {
    const pid = this.#paused.get(name);
    // It may have been killed meanwhile.
    if (pid !== undefined && pidOf(this.#node(name)) === pid) process.kill(pid, 'SIGCONT');
    this.#paused.delete(name);
    this.#healPlan.remove(`resume ${name}`);
    return Promise.resolve();
  }

  async heal(): Promise<void> {
    for (const name of this.#paused.keys()) await this.resume(name);
    await Promise.all([...this.#ended].map((name) => this.start(name)));
  }

  /** For a runner that dies: `up` starts what does not run, and nothing else. */
  #planStart(name: string): void {
    this.#ended.add(name);
    this.#healPlan.add({
      id: `start ${name}`,
      what: `start ${name}`,
      kind: 'strongroom',
      args: ['up', '--detach', '--data', this.#cluster.options.data],
    });
  }

  #node(name: string): LocalNode {
    const node = this.#cluster.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`The local cluster has no node ${name}`);
    return node;
  }
}
