import {
  type Cancellation,
  type Clock,
  compareBytes,
  hasCode,
  utf8Bytes,
  utf8Text,
} from '../lib/index.ts';
import { pinRecord, type SealRecords } from './records.ts';

/** What the cluster knows of the logins to one slot's token. */
export interface PinState {
  /** Who is presenting a PIN just now. Not which: it may well be the right one. */
  readonly claim?: string;
  /** Tags of refused PINs. */
  readonly rejected: readonly string[];
}

export interface PinReading {
  readonly bytes: Uint8Array | undefined;
  readonly state: PinState;
}

/** The replicated record of one slot's logins. */
export class PinRecord {
  readonly #records: SealRecords;
  readonly #name: string;

  constructor(records: SealRecords, slot: string) {
    this.#records = records;
    this.#name = pinRecord(slot);
  }

  read(): PinReading {
    const bytes = this.#records.read(this.#name);
    return { bytes, state: bytes === undefined ? { rejected: [] } : decode(bytes) };
  }

  /** Whether nobody else changed the record meanwhile. */
  async replace(before: PinReading, after: PinState): Promise<boolean> {
    const empty = after.claim === undefined && after.rejected.length === 0;
    const bytes = empty ? undefined : utf8Bytes(JSON.stringify(after));
    if (same(before.bytes, bytes)) return true;
    try {
      await this.#records.write(
        new Map([[this.#name, bytes]]),
        new Map([[this.#name, before.bytes]]),
      );
      return true;
    } catch (error) {
      if (hasCode(error, 'store.conflict')) return false;
      throw error;
    }
  }

  /** Waits until the record changes or `signal` ends; true when neither happened for `ms`. */
  unchangedFor(
    ms: number,
    { bytes }: PinReading,
    clock: Clock,
    signal: Cancellation,
  ): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isUnchanged: boolean): void => {
        timer.cancel();
        signal.removeEventListener('abort', aborted);
        stop();
        resolve(isUnchanged);
      };
      const aborted = (): void => end(false);
      signal.addEventListener('abort', aborted);
      const timer = clock.after(ms, () => end(true));
      const look = (): void => {
        if (!same(this.#records.read(this.#name), bytes)) end(false);
      };
      const stop = this.#records.onChange(look);
      if (signal.aborted) end(false);
      else look();
    });
  }
}

function decode(bytes: Uint8Array): PinState {
  try {
    const value = JSON.parse(utf8Text(bytes)) as Partial<PinState>;
    const rejected = Array.isArray(value.rejected) ? value.rejected.map(String) : [];
    const { claim } = value;
    return typeof claim === 'string' ? { rejected, claim } : { rejected };
  } catch {
    // A damaged record protects nothing any more; the token's own counter still does.
    return { rejected: [] };
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return compareBytes(a, b) === 0;
}
