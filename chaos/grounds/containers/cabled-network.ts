import type { LinkChange, LinkShape } from '../levers.ts';
import { type ClusterNetwork, groundLayer } from '../processes/cluster-network.ts';
import type { Between, Cable } from './cable.ts';
import { wholeOf } from './link-plan.ts';

/** Links between hosts as what their cables do to packets, each direction by itself. */
export class CabledNetwork implements ClusterNetwork {
  readonly #cables: ReadonlyMap<string, Cable>;
  readonly #layers = new Map<string, readonly LinkChange[]>();

  constructor(cables: ReadonlyMap<string, Cable>) {
    this.#cables = cables;
  }

  async lay(layer: string, changes: readonly LinkChange[]): Promise<void> {
    const before = this.#layers.get(layer) ?? [];
    this.#layers.set(layer, changes);
    await this.#apply([...before, ...changes]);
  }

  async lift(layer: string): Promise<void> {
    const before = this.#layers.get(layer) ?? [];
    this.#layers.delete(layer);
    await this.#apply(before);
  }

  async liftFaults(): Promise<void> {
    for (const layer of this.#layers.keys()) if (layer !== groundLayer) await this.lift(layer);
  }

  async #apply(touched: readonly LinkChange[]): Promise<void> {
    const names = new Set(touched.flatMap(({ from, to }) => [from, to]));
    await Promise.all(
      [...names].map((name) => {
        const cable = this.#cables.get(name);
        if (cable === undefined) throw new Error(`${name} has no cable`);
        return cable.shape(this.#around(name));
      }),
    );
  }

  #around(name: string): readonly Between[] {
    const others = [...this.#cables.values()].filter(({ host }) => host.name !== name);
    return others.map(({ host }) => ({
      peer: host,
      outgoing: wholeOf(this.#shapes(name, host.name)),
      incoming: wholeOf(this.#shapes(host.name, name)),
    }));
  }

  #shapes(from: string, to: string): readonly LinkShape[] {
    return [...this.#layers.values()]
      .flat()
      .filter((one) => one.from === from && one.to === to)
      .map((one) => one.shape);
  }
}
