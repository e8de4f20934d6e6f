import type { Cluster, Ground, VaultClient } from '../../../chaos/grounds/ground.ts';
import type { Levers } from '../../../chaos/grounds/levers.ts';
import { observationOf } from '../../../chaos/grounds/observation.ts';
import type { ClusterShape } from '../../../chaos/scenario/scenario.ts';
import { type Clock, StrongroomError } from '../../../src/lib/index.ts';

/** Time that jumps to the next timer as soon as nothing else is left to do. */
export class JumpingClock implements Clock {
  #nowMs = 0;
  readonly #timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  #isJumping = false;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void) {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    this.#jump();
    return {
      cancel: () => {
        const at = this.#timers.indexOf(timer);
        if (at !== -1) this.#timers.splice(at, 1);
      },
    };
  }

  #jump(): void {
    if (this.#isJumping) return;
    this.#isJumping = true;
    setImmediate(() => {
      this.#isJumping = false;
      const next = this.#timers.sort((a, b) => a.atMs - b.atMs).shift();
      if (next === undefined) return;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      if (this.#timers.length > 0) this.#jump();
    });
  }
}

export interface FakeBehaviour {
  /** From the death of a leader to the next one. */
  readonly electionMs?: number;
  /** A new leader has forgotten the last write. */
  readonly forgets?: boolean;
  readonly neverLeads?: boolean;
  readonly startFails?: boolean;
  /** Its audit logs are elsewhere. */
  readonly isClosed?: boolean;
  /** What it cannot undo is in the plan at the end. */
  readonly leaves?: string;
}

/** A cluster without a network or a disk: enough to see what the runner does with one. */
export class FakeCluster implements Cluster {
  readonly clock = new JumpingClock();
  readonly nodes: ClusterShape['nodes'];
  readonly levers: Levers;
  readonly done: string[] = [];
  readonly auditFiles?: () => Promise<undefined>;
  readonly #behaviour: FakeBehaviour;
  readonly #down = new Set<string>();
  readonly #versions = new Map<string, { value: unknown; version: number; revision: number }[]>();
  #leader: string | undefined;
  #term = 1;
  #revision = 0;

  constructor(shape: ClusterShape, behaviour: FakeBehaviour) {
    this.nodes = shape.nodes;
    this.#behaviour = behaviour;
    if (behaviour.isClosed === true) this.auditFiles = () => Promise.resolve(undefined);
    this.#leader = behaviour.neverLeads === true ? undefined : shape.nodes[0]?.name;
    this.levers = {
      process: {
        kill: (node) => this.#kill(node),
        start: (node) => this.#start(node),
        pause: () => Promise.resolve(),
        resume: () => Promise.resolve(),
      },
    };
  }

  client(): Promise<VaultClient> {
    const call = (operation: string, request: object) => this.#call(operation, request);
    return Promise.resolve({ call, close: () => Promise.resolve() } as unknown as VaultClient);
  }

  observe() {
    const nodes = this.nodes.map(({ name }) => ({
      name,
      up: !this.#down.has(name),
      role: name === this.#leader ? 'leader' : 'follower',
      term: this.#term,
      commit: this.#revision,
      applied: this.#revision,
      lagMs: 0,
      lagEntries: 0,
      seal: 'unsealed',
    }));
    return Promise.resolve(observationOf(nodes));
  }

  heal(): Promise<void> {
    this.done.push('heal all');
    this.#down.clear();
    return Promise.resolve();
  }

  collect(): Promise<void> {
    this.done.push('collect');
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.done.push('dispose');
    return Promise.resolve();
  }

  #kill(node: string): Promise<void> {
    this.done.push(`kill ${node}`);
    this.#down.add(node);
    if (node === this.#leader) {
      this.#leader = undefined;
      this.clock.after(this.#behaviour.electionMs ?? 1_000, () => this.#elect());
    }
    return Promise.resolve();
  }

  #start(node: string): Promise<void> {
    this.done.push(`start ${node}`);
    if (this.#behaviour.startFails === true) return Promise.reject(new Error('no such disk'));
    this.#down.delete(node);
    return Promise.resolve();
  }

  #elect(): void {
    this.#term += 1;
    this.#leader = this.nodes.find(({ name }) => !this.#down.has(name))?.name;
    if (this.#behaviour.forgets === true)
      for (const versions of this.#versions.values()) versions.pop();
  }

  /** Clients of the product wait for a leader by themselves; so does this one. */
  async #call(operation: string, request: object): Promise<object> {
    const { path, data, cas } = request as { path: string; data?: Uint8Array; cas?: number };
    await new Promise<void>((resolve) => this.clock.after(5, resolve));
    for (let waited = 0; this.#leader === undefined; waited += 50) {
      if (waited > 5_000) throw new StrongroomError('raft.no-leader', 'No leader');
      await new Promise<void>((resolve) => this.clock.after(50, resolve));
    }
    const versions = this.#versions.get(path) ?? [];
    const last = versions.at(-1);
    if (operation === 'kv.get') {
      if (last === undefined) throw new StrongroomError('kv.not-found', 'Nothing there');
      return { data: last.value, version: { version: last.version }, revision: last.revision };
    }
    if (cas !== undefined && cas !== (last?.version ?? 0))
      throw new StrongroomError('kv.check-and-set-mismatch', 'Another version');
    const next = { value: data, version: (last?.version ?? 0) + 1, revision: ++this.#revision };
    this.#versions.set(path, [...versions, next]);
    return { version: { version: next.version }, revision: next.revision };
  }
}

/** A ground whose clusters are kept, so that a test can ask what was done to them. */
export function fakeGround(behaviour: FakeBehaviour = {}) {
  const clusters: FakeCluster[] = [];
  const ground: Ground = {
    name: 'processes',
    capabilities: new Set(['process.kill', 'process.pause'] as const),
    unavailable: () => Promise.resolve(undefined),
    start: (shape, { healPlan }) => {
      const cluster = new FakeCluster(shape, behaviour);
      const { leaves: what } = behaviour;
      if (what !== undefined)
        healPlan.add({ id: 'left', what, kind: 'command', command: ['true'] });
      clusters.push(cluster);
      return Promise.resolve(cluster);
    },
  };
  return { ground, clusters };
}
