import { compareBytes, StrongroomError } from '../../src/lib/index.ts';
import type { SealRecords } from '../../src/seal/index.ts';

/** Replicated records without a cluster: every reader sees every write at once. */
export class MemorySealRecords implements SealRecords {
  readonly contents = new Map<string, Uint8Array>();
  readonly #callbacks = new Set<() => void>();
  /** Set to make writes fail as they do without a quorum. */
  writeFailure: Error | undefined;

  read(name: string): Uint8Array | undefined {
    return this.contents.get(name);
  }

  async write(
    changes: ReadonlyMap<string, Uint8Array | undefined>,
    expected: ReadonlyMap<string, Uint8Array | undefined> = new Map(),
  ): Promise<void> {
    await Promise.resolve();
    if (this.writeFailure !== undefined) throw this.writeFailure;
    for (const [name, bytes] of expected) {
      const found = this.contents.get(name);
      const same =
        found === undefined || bytes === undefined
          ? found === bytes
          : compareBytes(found, bytes) === 0;
      if (!same) throw new StrongroomError('store.conflict', `Record ${name} has changed`);
    }
    for (const [name, bytes] of changes) {
      if (bytes === undefined) this.contents.delete(name);
      else this.contents.set(name, Uint8Array.from(bytes));
    }
    this.announce();
  }

  onChange(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  announce(): void {
    for (const callback of this.#callbacks) callback();
  }

  /** What a thief or a fault does: no expectation, no announcement. */
  tamper(name: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const bytes = this.contents.get(name);
    if (bytes === undefined) throw new Error(`There is no record ${name}`);
    this.contents.set(name, change(Uint8Array.from(bytes)));
  }
}
