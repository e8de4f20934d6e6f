import type { LinkChange, LinkShape } from '../levers.ts';
import { type ClusterNetwork, groundLayer } from './cluster-network.ts';
import type { LinkState } from './link-state.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** Links between nodes as proxies: one for each node that connects and each that it connects to. */
export class ProxiedNetwork implements ClusterNetwork {
  readonly #proxy: (from: string, to: string) => TcpProxy;
  readonly #layers = new Map<string, readonly LinkChange[]>();

  constructor(proxy: (from: string, to: string) => TcpProxy) {
    this.#proxy = proxy;
  }

  lay(layer: string, changes: readonly LinkChange[]): Promise<void> {
    const before = this.#layers.get(layer) ?? [];
    this.#layers.set(layer, changes);
    this.#apply([...before, ...changes]);
    return Promise.resolve();
  }

  lift(layer: string): Promise<void> {
    const before = this.#layers.get(layer) ?? [];
    this.#layers.delete(layer);
    this.#apply(before);
    return Promise.resolve();
  }

  async liftFaults(): Promise<void> {
    for (const layer of this.#layers.keys()) if (layer !== groundLayer) await this.lift(layer);
  }

  /** A direction goes over two proxies: as what one side sends, and as what it answers. */
  #apply(touched: readonly LinkChange[]): void {
    const directions = new Map(touched.map((one) => [`${one.from} ${one.to}`, one]));
    for (const { from, to } of directions.values()) {
      const shapes = [...this.#layers.values()]
        .flat()
        .filter((one) => one.from === from && one.to === to)
        .map((one) => one.shape);
      const state = stateOf(shapes);
      this.#proxy(from, to).set(state, 'forth');
      this.#proxy(to, from).set(state, 'back');
    }
  }
}

/** What all layers over one direction come to. */
function stateOf(shapes: readonly LinkShape[]): LinkState {
  if (shapes.some((shape) => shape.blocked === 'refuse')) return { kind: 'cut' };
  if (shapes.some((shape) => shape.blocked === 'drop')) return { kind: 'stall' };
  if (shapes.length === 0) return { kind: 'pass' };
  const sum = (pick: (shape: LinkShape) => number | undefined) =>
    shapes.reduce((total, shape) => total + (pick(shape) ?? 0), 0);
  /** Of chances that do not depend on each other. */
  const either = (pick: (shape: LinkShape) => number | undefined) =>
    1 - shapes.reduce((kept, shape) => kept * (1 - (pick(shape) ?? 0)), 1);
  return {
    kind: 'shaped',
    delayMs: sum((shape) => shape.delayMs),
    jitterMs: sum((shape) => shape.jitterMs),
    lossRatio: either((shape) => shape.lossRatio),
    corruptRatio: either((shape) => shape.corruptRatio),
    bytesPerSecond: Math.min(
      ...shapes.map((one) => one.bytesPerSecond ?? Number.POSITIVE_INFINITY),
    ),
  };
}
