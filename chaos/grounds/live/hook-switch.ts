import type { HealPlan } from '../../heal/heal-plan.ts';
import { runCommand } from './hands.ts';
import { fillIn, type HookName } from './hook-kinds.ts';
import type { Hook } from './target.ts';

type Words = Readonly<Record<string, string>>;

interface Place {
  /** By layer, the newest last. */
  readonly layers: Map<string, Words>;
  /** What the last command was told. */
  words: Words;
}

/**
 * One kind of hook, on and off at each of its places (a node, or one direction of a link). Several
 * faults may lay it over one place: the newest counts, and the last to be lifted heals. How it is
 * healed is on disk before it is injected, and stays there until the command has succeeded.
 */
export class HookSwitch {
  readonly #name: HookName;
  readonly #hook: Hook;
  readonly #healPlan: HealPlan;
  readonly #places = new Map<string, Place>();

  constructor(name: HookName, hook: Hook, healPlan: HealPlan) {
    this.#name = name;
    this.#hook = hook;
    this.#healPlan = healPlan;
  }

  /** Lays it over a place; `words` are what the commands may name. */
  async lay(key: string, layer: string, words: Words): Promise<void> {
    const place = this.#places.get(key) ?? { layers: new Map<string, Words>(), words };
    this.#places.set(key, place);
    place.layers.delete(layer);
    place.layers.set(layer, words);
    await this.#inject(key, place, words);
  }

  /** Lifts a layer from one place; one that is not there is no error. */
  async lift(key: string, layer: string): Promise<void> {
    const place = this.#places.get(key);
    if (place === undefined) return;
    place.layers.delete(layer);
    const newest = [...place.layers.values()].at(-1);
    if (newest === undefined) return this.#heal(key, place);
    await this.#inject(key, place, newest);
  }

  /** Lifts a layer wherever it was laid. */
  async liftAll(layer: string): Promise<void> {
    const keys = [...this.#places].filter(([, place]) => place.layers.has(layer));
    await allOf(
      keys.map(
        ([key]) =>
          () =>
            this.lift(key, layer),
      ),
    );
  }

  /** Heals every place where something is left. */
  async heal(): Promise<void> {
    await allOf(
      [...this.#places].map(
        ([key, place]) =>
          () =>
            this.#heal(key, place),
      ),
    );
  }

  async #inject(key: string, place: Place, words: Words): Promise<void> {
    place.words = words;
    const { inject, heal, timeoutMs } = this.#hook;
    const [program = '', ...args] = fillIn(heal, words);
    this.#healPlan.add({
      id: this.#id(key),
      what: `heal ${this.#name} of ${key}`,
      kind: 'hook',
      command: [program, ...args],
      timeoutMs,
    });
    await runCommand(fillIn(inject, words), timeoutMs);
  }

  async #heal(key: string, place: Place): Promise<void> {
    await runCommand(fillIn(this.#hook.heal, place.words), this.#hook.timeoutMs);
    this.#places.delete(key);
    this.#healPlan.remove(this.#id(key));
  }

  readonly #id = (key: string) => `hook ${this.#name} ${key}`;
}

/** Does all of them, whatever becomes of the others. @throws the first failure. */
export async function allOf(actions: readonly (() => Promise<void>)[]): Promise<void> {
  const results = await Promise.allSettled(actions.map((action) => action()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
