import type { TokenAddress } from '../../../src/hsm/index.ts';
import type { HsmLinkChange } from '../levers.ts';
import { type HsmLink, HsmServer } from './hsm-link.ts';
import type { HsmWays } from './hsm-ways.ts';
import type { LinkState } from './link-state.ts';
import type { ClusterToken } from './seal-slots.ts';

interface Layer {
  readonly nodes: readonly string[];
  readonly change: HsmLinkChange;
}

/** A server on this machine, and a proxy on the way of each node. */
export class ProxiedHsm implements HsmWays {
  readonly #server: HsmServer;
  readonly #links = new Map<string, HsmLink>();
  readonly #layers = new Map<string, Layer>();

  private constructor(server: HsmServer) {
    this.#server = server;
  }

  static async serve(token: ClusterToken): Promise<ProxiedHsm> {
    return new ProxiedHsm(await HsmServer.start(token.address, token.directory));
  }

  get nodes(): readonly string[] {
    return [...this.#links.keys()];
  }

  async open(node: string): Promise<TokenAddress> {
    const link = await this.#server.link(node);
    this.#links.set(node, link);
    return link.address;
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

  async liftAll(): Promise<void> {
    for (const layer of this.#layers.keys()) await this.lift(layer);
  }

  breakOff(nodes: readonly string[]): Promise<number> {
    const ended = nodes.map((node) => this.#link(node).proxy.resetConnections());
    return Promise.resolve(ended.reduce((sum, count) => sum + count, 0));
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

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links.values()) await link[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
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
