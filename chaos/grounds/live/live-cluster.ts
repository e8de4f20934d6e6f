import { randomBytes } from 'node:crypto';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StrongroomClient } from '../../../src/client/index.ts';
import { hasCode } from '../../../src/lib/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { Aftermath, ClientWishes, Cluster, VaultClient } from '../ground.ts';
import type { Levers } from '../levers.ts';
import { machineClock } from '../machine-clock.ts';
import { type Observation, observationOf } from '../observation.ts';
import { observeNode } from '../observe-node.ts';
import { sleep } from '../sleep.ts';
import { clientOf, meet, withinNamespace } from './live-client.ts';
import { LiveLevers } from './live-levers.ts';
import { localAuditFile } from './read-target.ts';
import type { Target } from './target.ts';

const CALL_MS = 10_000;
const UP_MS = 60_000;
const ASK_EVERY_MS = 200;
const NAME_BYTES = 6;
const NAMESPACE_STEP = 'namespace';

/**
 * A cluster that ran before and runs on afterwards. All that a run writes is in a namespace of its
 * own, which is deleted at the end: its secrets, its tokens, its policies.
 */
export class LiveCluster implements Cluster {
  readonly clock = machineClock;
  readonly nodes: Target['nodes'];
  readonly levers: Levers;
  readonly aftermath: Aftermath;
  readonly namespace: string;
  readonly #target: Target;
  readonly #healPlan: HealPlan;
  readonly #hands: LiveLevers;
  readonly #clients: StrongroomClient[] = [];
  readonly #admin: StrongroomClient;
  readonly #addresses: ReadonlyMap<string, string>;

  /**
   * Makes sure that it is the cluster that was meant, with the nodes that were named, and makes the
   * namespace.
   *
   * @throws StrongroomError `cli.usage` when it is another; what the cluster says otherwise.
   */
  static async open(target: Target, healPlan: HealPlan): Promise<LiveCluster> {
    const admin = await clientOf(target);
    try {
      const addresses = await meet(target, admin);
      const namespace = `chaos-${randomBytes(NAME_BYTES).toString('hex')}`;
      const cluster = new LiveCluster(target, healPlan, { admin, addresses, namespace });
      try {
        await cluster.#makeNamespace();
      } catch (error) {
        // A token that may not make one may not delete one either, and there is none.
        if (hasCode(error, 'auth.permission-denied')) healPlan.remove(NAMESPACE_STEP);
        else await cluster.#deleteNamespace().catch(() => undefined);
        throw error;
      }
      return cluster;
    } catch (error) {
      await admin.close();
      throw error;
    }
  }

  private constructor(
    target: Target,
    healPlan: HealPlan,
    parts: {
      readonly admin: StrongroomClient;
      readonly addresses: ReadonlyMap<string, string>;
      readonly namespace: string;
    },
  ) {
    this.#target = target;
    this.#healPlan = healPlan;
    this.#admin = parts.admin;
    this.#addresses = parts.addresses;
    this.namespace = parts.namespace;
    this.nodes = target.nodes;
    const untilUp = (node: string) => this.#untilUp(node);
    this.#hands = new LiveLevers({ target, healPlan, untilUp });
    this.levers = this.#hands.levers;
    this.aftermath = {
      plan: (id, what, command) => this.#plan(`fault ${id}`, what, command),
      done: (id) => healPlan.remove(`fault ${id}`),
    };
  }

  async client({ prefer, region, token }: ClientWishes = {}): Promise<VaultClient> {
    const first = prefer === undefined ? undefined : this.#addresses.get(prefer);
    const client = await clientOf(this.#target, {
      namespace: this.namespace,
      ...(first === undefined ? {} : { first }),
      ...(region === undefined ? {} : { region }),
      ...(token === undefined ? {} : { token }),
    });
    this.#clients.push(client);
    return withinNamespace(client);
  }

  async observe(): Promise<Observation> {
    return observationOf(
      await Promise.all(
        this.nodes.map(({ name }) => observeNode(this.#admin, name, this.#addresses.get(name))),
      ),
    );
  }

  auditFiles(node: string): Promise<readonly string[] | undefined> {
    const { local } = this.#target;
    return Promise.resolve(local === undefined ? undefined : [localAuditFile(local, node)]);
  }

  async heal(): Promise<void> {
    // What could not be healed is in the plan, which the runner looks at when all is over.
    await this.#hands.heal().catch(() => undefined);
  }

  async collect(folder: string): Promise<void> {
    const { local } = this.#target;
    if (local === undefined) return;
    await mkdir(folder, { recursive: true });
    await Promise.all(
      local.nodes.map(({ name, logFile }) => copyFile(logFile, join(folder, `${name}.log`))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heal();
    await Promise.all(this.#clients.map((client) => client.close()));
    // It stays in the plan when it cannot be deleted now.
    await this.#deleteNamespace().catch(() => undefined);
    await this.#admin.close();
  }

  #plan(id: string, what: string, command: Parameters<Aftermath['plan']>[2]): void {
    const { addresses, caFile, tokenFile, insecurePlaintext } = this.#target;
    const { args, ...rest } = command;
    const connection = [
      '--address',
      addresses.join(','),
      ...(caFile === undefined ? [] : ['--ca-cert', caFile]),
      ...(insecurePlaintext ? ['--insecure-plaintext'] : []),
    ];
    const step = { id, what, kind: 'strongroom', args: [...args, ...connection] } as const;
    this.#healPlan.add({ ...step, tokenFile, ...rest });
  }

  async #makeNamespace(): Promise<void> {
    const path = this.namespace;
    this.#plan(NAMESPACE_STEP, `delete the namespace ${path}`, {
      args: ['namespace', 'delete', path, '--yes'],
      unless: 'namespace.not-found',
    });
    await this.#admin.call('namespace.create', { path }, { timeoutMs: CALL_MS });
    const mount = { path: 'secret', type: 'kv' };
    const { mounts } = await this.#admin.call('namespace.listMounts', {}, { namespace: path });
    if (!mounts.some((one) => one.path.replace(/\/$/, '') === mount.path))
      await this.#admin.call('namespace.mount', mount, { namespace: path, timeoutMs: CALL_MS });
  }

  async #deleteNamespace(): Promise<void> {
    try {
      await this.#admin.call('namespace.delete', { path: this.namespace });
    } catch (error) {
      if (!hasCode(error, 'namespace.not-found')) throw error;
    }
    this.#healPlan.remove(NAMESPACE_STEP);
  }

  async #untilUp(node: string): Promise<void> {
    const deadline = this.clock.monotonicMs() + UP_MS;
    for (;;) {
      const { up } = await observeNode(this.#admin, node, this.#addresses.get(node));
      if (up) return;
      if (this.clock.monotonicMs() > deadline)
        throw new Error(`${node} does not answer ${UP_MS / 1_000} s after its heal`);
      await sleep(this.clock, ASK_EVERY_MS);
    }
  }
}
