import type { LinkShape, NetworkLever } from '../levers.ts';

/** What all layers over a link come to. */
export interface LinkWeather {
  readonly isBlocked: boolean;
  /** The other end is told at once that nothing arrives. */
  readonly isRefused: boolean;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly reorderRatio: number;
}

/** Layers over the links between simulated nodes, each direction by itself. */
export class SimulatedLinks implements NetworkLever {
  readonly #layers = new Map<string, ReadonlyMap<string, LinkShape>>();
  /** Of each link that has any. Worked out when a layer changes: asked for every message. */
  #weather = new Map<string, LinkWeather>();
  readonly #nature: (from: string, to: string) => LinkShape | undefined;
  readonly #names: readonly string[];

  /** @param nature what a link is like without any fault. */
  constructor(
    names: readonly string[],
    nature: (from: string, to: string) => LinkShape | undefined,
  ) {
    this.#names = names;
    this.#nature = nature;
    this.#workOut();
  }

  lay(
    layer: string,
    changes: readonly { readonly from: string; readonly to: string; readonly shape: LinkShape }[],
  ): Promise<void> {
    this.#layers.set(
      layer,
      new Map(changes.map(({ from, to, shape }) => [linkName(from, to), shape])),
    );
    this.#workOut();
    return Promise.resolve();
  }

  lift(layer: string): Promise<void> {
    if (this.#layers.delete(layer)) this.#workOut();
    return Promise.resolve();
  }

  liftAll(): void {
    this.#layers.clear();
    this.#workOut();
  }

  /** Undefined for a link that is as links should be. */
  of(from: string, to: string): LinkWeather | undefined {
    return this.#weather.get(linkName(from, to));
  }

  #workOut(): void {
    this.#weather = new Map();
    for (const from of this.#names) {
      for (const to of this.#names) {
        if (from === to) continue;
        const name = linkName(from, to);
        const shapes = [...this.#layers.values()].flatMap((layer) => layer.get(name) ?? []);
        const nature = this.#nature(from, to);
        const all = nature === undefined ? shapes : [nature, ...shapes];
        if (all.length > 0) this.#weather.set(name, together(all));
      }
    }
  }
}

const linkName = (from: string, to: string) => `${from}>${to}`;

function together(shapes: readonly LinkShape[]): LinkWeather {
  const sum = (of: (shape: LinkShape) => number | undefined) =>
    shapes.reduce((total, shape) => total + (of(shape) ?? 0), 0);
  // Of independent chances: what gets past one may meet the next.
  const either = (of: (shape: LinkShape) => number | undefined) =>
    1 - shapes.reduce((clear, shape) => clear * (1 - (of(shape) ?? 0)), 1);
  return {
    isBlocked: shapes.some((shape) => shape.blocked !== undefined),
    isRefused: shapes.some((shape) => shape.blocked === 'refuse'),
    delayMs: sum((shape) => shape.delayMs),
    jitterMs: sum((shape) => shape.jitterMs),
    lossRatio: either((shape) => shape.lossRatio),
    duplicateRatio: either((shape) => shape.duplicateRatio),
    reorderRatio: either((shape) => shape.reorderRatio),
  };
}
