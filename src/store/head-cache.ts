/** What there is to know of a record beside its value, when it has a deadline. */
interface Expiring {
  readonly revision: number;
  readonly expiresAtMs: number;
}

/** Of one data key: the revision of its record, 0 when there is none, and its deadline if any. */
export type Head = number | Expiring;

export const ABSENT: Head = 0;

export function headOf(record: {
  readonly revision: number;
  readonly expiresAtMs: number | undefined;
}): Head {
  const { revision, expiresAtMs } = record;
  return expiresAtMs === undefined ? revision : { revision, expiresAtMs };
}

export function revisionIn(head: Head): number {
  return typeof head === 'number' ? head : head.revision;
}

export function deadlineIn(head: Head): number | undefined {
  return typeof head === 'number' ? undefined : head.expiresAtMs;
}

/** What an entry takes beside its text, roughly. */
const OVERHEAD_BYTES = 64;

/**
 * The heads of the data keys that were used last: checking a transaction and replacing records need
 * no more, and so mostly read nothing. It holds what the tables hold, or nothing of a key; so a hit
 * and a miss give the same. Two generations: the older is dropped when the younger has filled half
 * of the bytes.
 */
export class HeadCache {
  readonly #halfBytes: number;
  #young = new Map<string, Head>();
  #old = new Map<string, Head>();
  #youngBytes = 0;

  constructor(bytesMax: number) {
    this.#halfBytes = bytesMax / 2;
  }

  get(text: string): Head | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) this.set(text, old);
    return old;
  }

  set(text: string, head: Head): void {
    const size = this.#young.size;
    this.#young.set(text, head);
    if (this.#young.size === size) return;
    this.#youngBytes += text.length + OVERHEAD_BYTES;
    if (this.#youngBytes <= this.#halfBytes) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}
