import { type Cancellation, equalBytes, hasCode, StrongroomError } from '../../lib/index.ts';
import type { SealRecords } from '../../seal/index.ts';
import type { Revision } from '../../store/index.ts';
import type { PeerRequest } from './peer-request.ts';
import type { SystemRecords } from './system-records.ts';

const WRITE_MS = 15_000;

type Values = ReadonlyMap<string, Uint8Array | undefined>;
type Records = Pick<SystemRecords, 'get' | 'write' | 'onChange'>;
type SealWrite = Extract<PeerRequest, { readonly kind: 'seal-records' }>;

/**
 * The seal's records among the cluster's own. A node that does not lead asks the leader to write:
 * a wrong PIN, say, must be known to all before any of them tries again.
 */
export class ReplicatedSealRecords implements SealRecords {
  readonly #records: Records;
  readonly #isLeader: () => boolean;
  readonly #askLeader: (request: SealWrite) => Promise<void>;
  readonly #catchUp: (signal: Cancellation) => Promise<void>;

  constructor(
    records: Records,
    parts: {
      readonly isLeader: () => boolean;
      readonly askLeader: (request: SealWrite) => Promise<void>;
      /** Resolves once this node's own copy shows everything that was committed until now. */
      readonly catchUp: (signal: Cancellation) => Promise<void>;
    },
  ) {
    this.#records = records;
    this.#isLeader = parts.isLeader;
    this.#askLeader = parts.askLeader;
    this.#catchUp = parts.catchUp;
  }

  read(name: string): Uint8Array | undefined {
    return this.#records.get(name)?.value;
  }

  async write(changes: Values, expected: Values = new Map()): Promise<void> {
    if (this.#isLeader()) return this.writeHere(changes, expected);
    const request = {
      kind: 'seal-records',
      changes: toBase64(changes),
      expected: toBase64(expected),
    } as const;
    try {
      await this.#askLeader(request);
    } catch (error) {
      // Whoever looks again and tries again must see what was in the way.
      if (hasCode(error, 'store.conflict')) await this.#catchUp(AbortSignal.timeout(WRITE_MS));
      throw error;
    }
    await this.#catchUp(AbortSignal.timeout(WRITE_MS));
  }

  /** On the leader. @throws StrongroomError `store.conflict` */
  async writeHere(changes: Values, expected: Values): Promise<void> {
    const reads = new Map<string, Revision>();
    for (const [name, wanted] of expected) {
      const found = this.#records.get(name);
      if (!same(found?.value, wanted)) throw conflict();
      reads.set(name, found?.revision ?? (0 as Revision));
    }
    const written = await this.#records.write(changes, reads, AbortSignal.timeout(WRITE_MS));
    if (!written) throw conflict();
  }

  onChange(callback: () => void): () => void {
    return this.#records.onChange('seal/', callback);
  }
}

export function fromBase64(values: Readonly<Record<string, string | null>>): Values {
  return new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      value === null ? undefined : new Uint8Array(Buffer.from(value, 'base64')),
    ]),
  );
}

function toBase64(values: Values): Record<string, string | null> {
  return Object.fromEntries(
    [...values].map(([name, value]) => [
      name,
      value === undefined ? null : Buffer.from(value).toString('base64'),
    ]),
  );
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function conflict(): StrongroomError {
  return new StrongroomError(
    'store.conflict',
    'Cannot write the seal: its records were changed meanwhile; look at its status and try again',
  );
}
