import type { HealPlan } from '../../heal/heal-plan.ts';
import type { Levers, LinkShape, ProcessLever } from '../levers.ts';
import type { HookName } from './hook-kinds.ts';
import { allOf, HookSwitch } from './hook-switch.ts';
import { LocalProcesses } from './local-processes.ts';
import type { Target, TargetNode } from './target.ts';

interface Parts {
  readonly target: Target;
  readonly healPlan: HealPlan;
  /** Resolves when a node answers again. */
  readonly untilUp: (node: string) => Promise<void>;
}

/** The layer of what is on or off by itself. */
const ONLY = 'only';

/** The levers of a running cluster: signals, and its operator's own commands. */
export class LiveLevers {
  readonly levers: Levers;
  readonly #parts: Parts;
  readonly #switches: ReadonlyMap<HookName, HookSwitch>;
  readonly #local: LocalProcesses | undefined;
  /** Nodes that were ended or stopped and have not answered since. */
  readonly #away = new Set<string>();

  constructor(parts: Parts) {
    const { target, healPlan } = parts;
    this.#parts = parts;
    this.#switches = new Map(
      [...target.hooks].map(([name, hook]) => [name, new HookSwitch(name, hook, healPlan)]),
    );
    this.#local =
      target.local === undefined ? undefined : new LocalProcesses(target.local, healPlan);
    this.levers = {
      process: this.#process(),
      network: {
        lay: (layer, changes) =>
          allOf(
            changes.map(
              ({ from, to, shape }) =>
                () =>
                  this.#layLink(layer, from, to, shape),
            ),
          ),
        lift: (layer) => this.#lift(layer, ['network.cut', 'network.delay', ...lossy]),
      },
      audit: {
        lay: (layer, nodes, { writes }) =>
          this.#layNodes('audit.sink', layer, nodes, { how: writes }),
        lift: (layer) => this.#lift(layer, ['audit.sink']),
      },
      hsm: {
        lay: (layer, nodes, { blocked, delayMs }) =>
          this.#layNodes('hsm.link', layer, nodes, {
            how: blocked ?? 'slow',
            delay: String(delayMs ?? 0),
          }),
        lift: (layer) => this.#lift(layer, ['hsm.link']),
        endSessions: noHands,
        removeToken: noHands,
        returnToken: noHands,
        wrongPin: noHands,
        rightPin: noHands,
      },
    };
  }

  /** Heals everything that is left; what fails stays in the heal plan. @throws the first failure. */
  heal(): Promise<void> {
    return allOf([
      ...[...this.#switches.values()].map((one) => () => one.heal()),
      async () => this.#local?.heal(),
      ...[...this.#away].map((node) => () => this.#untilBack(node)),
    ]);
  }

  async #untilBack(node: string): Promise<void> {
    await this.#parts.untilUp(node);
    this.#away.delete(node);
  }

  #process(): Required<Omit<ProcessLever, 'useBuild' | 'cutPower'>> {
    const on = (name: HookName, node: string, byHand: () => Promise<void> | undefined) => {
      this.#away.add(node);
      if (this.#switches.has(name)) return this.#layNodes(name, ONLY, [node], {});
      return byHand() ?? noHands();
    };
    const local = this.#local;
    return {
      kill: (node) => on('process.kill', node, () => local?.kill(node)),
      stop: (node) => on('process.stop', node, () => local?.stop(node)),
      pause: (node) => on('process.pause', node, () => local?.pause(node)),
      start: async (node) => {
        await this.#switches.get('process.kill')?.lift(node, ONLY);
        await this.#switches.get('process.stop')?.lift(node, ONLY);
        await local?.start(node);
        await this.#untilBack(node);
      },
      resume: async (node) => {
        await this.#switches.get('process.pause')?.lift(node, ONLY);
        await local?.resume(node);
        await this.#untilBack(node);
      },
    };
  }

  async #layNodes(
    name: HookName,
    layer: string,
    nodes: readonly string[],
    words: Readonly<Record<string, string>>,
  ): Promise<void> {
    const hook = this.#switch(name);
    await allOf(
      nodes.map((key) => () => {
        const { host, region } = this.#node(key);
        return hook.lay(key, layer, { node: key, host, region, ...words });
      }),
    );
  }

  async #layLink(layer: string, from: string, to: string, shape: LinkShape): Promise<void> {
    const words = {
      from,
      to,
      'from-host': this.#node(from).host,
      'to-host': this.#node(to).host,
    };
    for (const [name, more] of commandsOf(shape))
      await this.#switch(name).lay(`${from} > ${to}`, layer, { ...words, ...more });
  }

  #lift(layer: string, names: readonly HookName[]): Promise<void> {
    return allOf(
      names.map((name) => async () => {
        await this.#switches.get(name)?.liftAll(layer);
      }),
    );
  }

  #switch(name: HookName): HookSwitch {
    const found = this.#switches.get(name);
    if (found === undefined) throw new Error(`${this.#parts.target.name} has no hook ${name}`);
    return found;
  }

  #node(name: string): TargetNode {
    const node = this.#parts.target.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`${this.#parts.target.name} has no node ${name}`);
    return node;
  }
}

const lossy = ['network.loss', 'network.bandwidth'] as const;
const noHands = () => Promise.reject(new Error('This cluster has no hands for that'));
const PERCENT = 100;

/** What a link is to do, as the hooks that do it. */
function commandsOf(shape: LinkShape): readonly (readonly [HookName, Record<string, string>])[] {
  const { blocked, delayMs, jitterMs, lossRatio, bytesPerSecond } = shape;
  return [
    ...(blocked === undefined ? [] : [['network.cut', { how: blocked }] as const]),
    ...(delayMs === undefined
      ? []
      : [
          [
            'network.delay',
            { delay: String(Math.round(delayMs)), jitter: String(Math.round(jitterMs ?? 0)) },
          ] as const,
        ]),
    ...(lossRatio === undefined
      ? []
      : [['network.loss', { percent: String(lossRatio * PERCENT) }] as const]),
    ...(bytesPerSecond === undefined
      ? []
      : [['network.bandwidth', { bytes: String(Math.round(bytesPerSecond)) }] as const]),
  ];
}
