/**
 * A map of bounded bytes in two generations: when the younger has filled half, the older is dropped
 * and the younger takes its place. Both cost nothing to keep, unlike an order of use.
 */
export class Generations<Value> {
  readonly #halfBytes: number;
  readonly #bytesOf: (value: Value) => number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  #youngBytes = 0;

  /** @param bytesOf what an entry takes in memory beside its text. */
  constructor(bytesMax: number, bytesOf: (value: Value) => number) {
    this.#halfBytes = bytesMax / 2;
    this.#bytesOf = bytesOf;
  }

  young(text: string): Value | undefined {
    return this.#young.get(text);
  }

  /** What will be forgotten soon unless it is set again. */
  old(text: string): Value | undefined {
    return this.#old.get(text);
  }

  has(text: string): boolean {
    return this.#young.has(text) || this.#old.has(text);
  }

  set(text: string, value: Value): void {
    const former = this.#young.get(text);
    this.#young.set(text, value);
    this.#youngBytes += this.#bytesOf(value);
    if (former === undefined) this.#youngBytes += text.length;
    else this.#youngBytes -= this.#bytesOf(former);
    if (this.#youngBytes <= this.#halfBytes) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}
