/** The flags of one call, with their types checked where they are taken out. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#values[name];
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  list(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  numbers(name: string): number[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map(Number) : [];
  }

  pairs(name: string): Record<string, string> {
    const value = this.#values[name];
    return typeof value === 'object' && value !== null
      ? { ...(value as Record<string, string>) }
      : {};
  }
}
