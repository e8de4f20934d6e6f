import type { HsmLever, HsmLinkChange } from '../levers.ts';
import type { HsmLink } from './hsm-link.ts';
import type { LinkState } from './link-state.ts';
import type { ClusterToken } from './seal-slots.ts';

interface Layer {
  readonly nodes: readonly string[];
  readonly change: HsmLinkChange;
}

/** Faults of a cluster's token and of each node's way to it. */
export class HsmFaults implements HsmLever {
  readonly #token: ClusterToken;
  readonly #links: ReadonlyMap<string, HsmLink>;
  readonly #layers = new Map<string, Layer>();
  #isAway = false;

  constructor(token: ClusterToken, links: ReadonlyMap<string, HsmLink>) {
    this.#token = token;
    this.#links = links;
  }

  lay(layer: string, nodes: readonly string[], change: HsmLinkChange): Promise<void> {
    const before = this.#layers.get(layer)?.nodes ?? [];
    this.#layers.set(layer, { nodes, change });
    this.#apply([...before, ...nodes]);
    return Promise.resolve();
  }

  lift(layer: string): Promise<void> {
    const before = this.#layers.get(layer)?.nodes ?? [];
    this.#layers.delete(layer);
    this.#apply(before);
    return Promise.resolve();
  }

  endSessions(nodes: readonly string[]): Promise<number> {
    const ended = nodes.map((node) => this.#link(node).proxy.resetConnections());
    return Promise.resolve(ended.reduce((sum, count) => sum + count, 0));
  }

  // The server forks a child for each connection, which goes on with what it has read: so each
  // change of the token ends them.
  async removeToken(): Promise<void> {
    if (this.#isAway) return;
    await this.#token.remove();
    this.#isAway = true;
    await this.endSessions([...this.#links.keys()]);
  }

  async returnToken(): Promise<void> {
    if (!this.#isAway) return;
    await this.#token.putBack();
    this.#isAway = false;
    await this.endSessions([...this.#links.keys()]);
  }

  async wrongPin(node: string): Promise<void> {
    await this.#token.wrongPin(node);
    await this.endSessions([node]);
  }

  async rightPin(node: string): Promise<void> {
    await this.#token.rightPin(node);
    await this.endSessions([node]);
  }

  async liftAll(): Promise<void> {
    for (const layer of this.#layers.keys()) await this.lift(layer);
    await this.returnToken();
    for (const node of this.#links.keys()) await this.#token.rightPin(node);
  }

  #apply(nodes: readonly string[]): void {
    for (const node of new Set(nodes)) {
      const changes = [...this.#layers.values()]
        .filter((layer) => layer.nodes.includes(node))
        .map((layer) => layer.change);
      this.#link(node).proxy.set(stateOf(changes));
    }
  }

  #link(node: string): HsmLink {
    const link = this.#links.get(node);
    if (link === undefined) throw new Error(`${node} has no link to an HSM`);
    return link;
  }
}

function stateOf(changes: readonly HsmLinkChange[]): LinkState {
  if (changes.some((change) => change.blocked === 'refuse')) return { kind: 'cut' };
  if (changes.some((change) => change.blocked === 'drop')) return { kind: 'stall' };
  const delayMs = changes.reduce((total, change) => total + (change.delayMs ?? 0), 0);
  if (delayMs === 0) return { kind: 'pass' };
  const nothing = { jitterMs: 0, lossRatio: 0, corruptRatio: 0 };
  return { kind: 'shaped', delayMs, ...nothing, bytesPerSecond: Number.POSITIVE_INFINITY };
}
