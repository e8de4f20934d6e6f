import type { Logger } from '../telemetry/index.ts';

/** What a node has opened, closed in the opposite order. One that fails does not keep the others. */
export class Closers {
  readonly #log: Logger;
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  /** Adds something disposable and hands it on. */
  keep<T extends Disposable | AsyncDisposable>(name: string, thing: T): T {
    this.add(name, async () => {
      if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]();
      else thing[Symbol.dispose]();
    });
    return thing;
  }

  async closeAll(): Promise<void> {
    for (let next = this.#closers.pop(); next !== undefined; next = this.#closers.pop()) {
      try {
        await next.close();
      } catch (error) {
        this.#log.warn({ part: next.name, error: String(error) }, 'A part did not close cleanly');
      }
    }
  }
}
