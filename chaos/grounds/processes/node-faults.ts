import type { AuditChange, AuditLever, ClockChange, ClockLever, SyncChange } from '../levers.ts';
import type { NodeShim, ShimState } from './fault-shim.ts';

interface Change {
  readonly clock?: ClockChange;
  readonly sync?: SyncChange;
  readonly audit?: AuditChange;
}

interface Layer {
  readonly nodes: readonly string[];
  readonly change: Change;
}

/** Layers of faults under the nodes' clocks, fsync and audit logs; a node feels all of its own. */
export class NodeFaults {
  readonly #shim: (node: string) => NodeShim;
  readonly #layers = new Map<string, Layer>();

  constructor(shim: (node: string) => NodeShim) {
    this.#shim = shim;
  }

  get clock(): ClockLever {
    return {
      lay: (layer, nodes, clock) => this.#lay(`clock ${layer}`, { nodes, change: { clock } }),
      lift: (layer) => this.#lift(`clock ${layer}`),
    };
  }

  get audit(): AuditLever {
    return {
      lay: (layer, nodes, audit) => this.#lay(`audit ${layer}`, { nodes, change: { audit } }),
      lift: (layer) => this.#lift(`audit ${layer}`),
    };
  }

  laySync(layer: string, nodes: readonly string[], sync: SyncChange): Promise<void> {
    return this.#lay(`sync ${layer}`, { nodes, change: { sync } });
  }

  liftSync(layer: string): Promise<void> {
    return this.#lift(`sync ${layer}`);
  }

  async liftAll(): Promise<void> {
    for (const name of this.#layers.keys()) await this.#lift(name);
  }

  async #lay(name: string, layer: Layer): Promise<void> {
    const before = this.#layers.get(name)?.nodes ?? [];
    this.#layers.set(name, layer);
    await this.#apply([...before, ...layer.nodes]);
  }

  async #lift(name: string): Promise<void> {
    const before = this.#layers.get(name);
    this.#layers.delete(name);
    await this.#apply(before?.nodes ?? []);
  }

  async #apply(nodes: readonly string[]): Promise<void> {
    for (const node of new Set(nodes)) {
      const changes = [...this.#layers.values()]
        .filter((layer) => layer.nodes.includes(node))
        .map((layer) => layer.change);
      await this.#shim(node).set(stateOf(changes));
    }
  }
}

/** What all layers over one node come to. */
export function stateOf(changes: readonly Change[]): ShimState {
  const sum = (pick: (change: Change) => number | undefined) =>
    changes.reduce((total, change) => total + (pick(change) ?? 0), 0);
  const writes = changes.map((change) => change.audit?.writes);
  return {
    offsetMs: sum((change) => change.clock?.offsetMs),
    drift: sum((change) => change.clock?.drift),
    syncFails: changes.some((change) => change.sync?.fails === true),
    syncDelayMs: sum((change) => change.sync?.delayMs),
    audit: writes.includes('hanging') ? 'hanging' : writes.includes('full') ? 'full' : 'well',
  };
}
