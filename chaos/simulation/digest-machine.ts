import { crc32 } from 'node:zlib';
import { StrongroomError, utf8Bytes, utf8Text } from '../../src/lib/index.ts';
import type {
  Entry,
  LogIndex,
  Membership,
  SnapshotMeta,
  SnapshotSource,
  StateMachine,
  Term,
} from '../../src/raft/index.ts';

/** All that a `DigestMachine` holds: where it is, and a digest of everything that led there. */
export interface DigestState extends SnapshotMeta {
  readonly digest: number;
}

export const EMPTY_STATE: DigestState = {
  index: 0 as LogIndex,
  term: 0 as Term,
  membership: { voters: [], learners: [], removed: [] },
  digest: 0,
};

/** What of a state survives a crash: the last persisted state, or anything after it. */
export class DigestStorage {
  #history: DigestState[];

  constructor(state: DigestState = EMPTY_STATE) {
    this.#history = [state];
  }

  get latest(): DigestState {
    return this.#history.at(-1) ?? EMPTY_STATE;
  }

  add(state: DigestState): void {
    this.#history.push(state);
  }

  persisted(index: LogIndex): void {
    const from = this.#history.findLastIndex((state) => state.index <= index);
    this.#history = this.#history.slice(Math.max(from, 0));
  }

  /** Power cut: any state since the last persisted one may be what is left. */
  crash(below: (bound: number) => number): void {
    this.#history = this.#history.slice(0, 1 + below(this.#history.length));
    this.#history = [this.latest];
  }
}

/** The smallest state machine by which replicas can be compared: it digests what it applies. */
export class DigestMachine implements StateMachine {
  readonly #storage: DigestStorage;
  readonly #onApply: (entry: Entry, digest: number) => void;
  readonly #snapshotDelay: () => Promise<void>;
  #state: DigestState;

  constructor(
    options: {
      readonly storage?: DigestStorage;
      readonly onApply?: (entry: Entry, digest: number) => void;
      /** Awaited around snapshots, so that other things happen meanwhile. */
      readonly snapshotDelay?: () => Promise<void>;
    } = {},
  ) {
    this.#storage = options.storage ?? new DigestStorage();
    this.#onApply = options.onApply ?? (() => {});
    this.#snapshotDelay = options.snapshotDelay ?? (async () => {});
    this.#state = this.#storage.latest;
  }

  get digest(): number {
    return this.#state.digest;
  }

  applied(): SnapshotMeta {
    const { index, term, membership } = this.#state;
    return { index, term, membership };
  }

  apply(entries: readonly Entry[], membershipAfter: Membership): readonly unknown[] {
    const results = entries.map((entry) => {
      const { index, term } = entry;
      const digest = crc32(entry.data, crc32(`${index}/${term}/${entry.kind}`, this.#state.digest));
      this.#state = { ...this.#state, index, term, digest };
      this.#onApply(entry, digest);
      return digest;
    });
    this.#state = { ...this.#state, membership: membershipAfter };
    this.#storage.add(this.#state);
    return results;
  }

  async persist(index: LogIndex): Promise<void> {
    await this.#snapshotDelay();
    this.#storage.persisted(index);
  }

  async openSnapshot(): Promise<SnapshotSource> {
    const state = this.#state;
    const delay = this.#snapshotDelay;
    return {
      meta: this.applied(),
      async *chunks() {
        const text = JSON.stringify(state);
        for (let at = 0; at < text.length; at += 64) {
          await delay();
          yield utf8Bytes(text.slice(at, at + 64));
        }
      },
      async [Symbol.asyncDispose]() {},
    };
  }

  async installSnapshot(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let text = '';
    for await (const chunk of chunks) text += utf8Text(chunk);
    const state = JSON.parse(text) as DigestState;
    if (state.index !== meta.index || state.term !== meta.term) {
      throw new StrongroomError('store.snapshot-invalid', 'Cannot install: not what was announced');
    }
    this.#state = state;
    this.#storage.add(state);
    this.#storage.persisted(state.index);
  }
}
