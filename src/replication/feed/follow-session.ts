import type { ChannelCredentials, Client, ClientDuplexStream } from '@grpc/grpc-js';
import {
  type Cancellation,
  type Clock,
  type Deferred,
  deferred,
  equalBytes,
  StrongroomError,
  type Timer,
} from '../../lib/index.ts';
import {
  type LogIndex,
  type NodeId,
  type SelfIdentity,
  type SnapshotMeta,
  sayHello,
  type Term,
} from '../../raft/index.ts';
import type { Revision, Store } from '../../store/index.ts';
import {
  type FollowRequestMessage,
  type FollowResponseMessage,
  followMethod,
  openStream,
} from '../peer-channel.ts';
import { decodeFailure } from '../peer-failure.ts';
import { raceAbort } from '../shared-round.ts';
import { decodeEntry, decodeMembership } from './feed-messages.ts';
import type { RecentEntries } from './recent-entries.ts';

export interface FollowSessionOptions {
  readonly self: SelfIdentity;
  readonly node: NodeId;
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly channelOptions: Readonly<Record<string, string | number>>;
  readonly region: string;
  readonly store: Store;
  readonly recent: RecentEntries;
  readonly clock: Clock;
  /** A source that says nothing for so long is given up. */
  readonly idleMs: number;
  readonly stalenessMs: () => number;
  readonly onProgress: (sourceCommit: number) => void;
  readonly onSnapshot: (phase: 'started' | 'installed') => void;
}

const ASKS_MAX = 64;
const STALENESS_UNKNOWN_MS = 2 ** 31;

type Frames = AsyncIterator<FollowResponseMessage>;

/** One stream from one source, from its greeting to its end. */
export class FollowSession {
  readonly #options: FollowSessionOptions;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<FollowRequestMessage, FollowResponseMessage>;
  readonly #asks = new Map<number, Deferred<number>>();
  #lastAsk = 0;
  #heardMs: number;
  #idleTimer: Timer | undefined;
  #closed = false;
  #isRunning = false;
  #left = false;
  #expected: { readonly revision: Revision; readonly digest: Uint8Array } | undefined;

  constructor(options: FollowSessionOptions) {
    this.#options = options;
    const { address, credentials, channelOptions, clock } = options;
    ({ client: this.#client, stream: this.#stream } = openStream(
      address,
      credentials,
      followMethod,
      channelOptions,
    ));
    // Errors are met by the reader; this keeps those after its end from being nobody's.
    this.#stream.on('error', () => undefined);
    this.#heardMs = clock.monotonicMs();
    this.#watchIdle();
  }

  /**
   * Applies what comes, until the stream ends.
   *
   * @throws StrongroomError `store.diverged`, `store.snapshot-invalid`, `replication.unreachable`;
   *   or the stream's own error.
   */
  async run(): Promise<never> {
    const { self, node, store, region } = this.#options;
    const appliedIndex = store.revision;
    this.#isRunning = true;
    this.#stream.write({ hello: sayHello(self, node), appliedIndex, region });
    const frames: Frames = this.#stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await frames.next();
        if (done === true) throw this.#lost('the source ended the stream');
        await this.#receive(value, frames);
      }
    } finally {
      this.#isRunning = false;
      this.close();
    }
  }

  /** Asks the source for an index that was committed after this call. */
  async readIndex(signal: Cancellation): Promise<number> {
    if (this.#closed || this.#asks.size >= ASKS_MAX) {
      throw this.#lost('no read index can be asked for');
    }
    const ask = ++this.#lastAsk;
    const answer = deferred<number>();
    answer.promise.catch(() => undefined);
    this.#asks.set(ask, answer);
    this.#stream.write({ ...this.#state(), readIndexAsk: ask });
    try {
      return await raceAbort(answer.promise, signal);
    } finally {
      this.#asks.delete(ask);
    }
  }

  /** `close` came while it ran: by this replica's own will. */
  get wasLeft(): boolean {
    return this.#left;
  }

  close(): void {
    if (this.#closed) return;
    this.#left = this.#isRunning;
    this.#closed = true;
    this.#idleTimer?.cancel();
    for (const answer of this.#asks.values()) answer.reject(this.#lost('the stream ended'));
    this.#asks.clear();
    this.#stream.cancel();
    this.#client.close();
  }

  async #receive(message: FollowResponseMessage, frames: Frames): Promise<void> {
    this.#heardMs = this.#options.clock.monotonicMs();
    this.#receiveSmall(message);
    if ((message.entries?.length ?? 0) > 0) await this.#apply(message);
    if (message.snapshotStart) await this.#install(message, frames);
  }

  /** What may come in the midst of a snapshot too. */
  #receiveSmall(message: FollowResponseMessage): void {
    if (message.readIndex) {
      const { ask, index, failure } = message.readIndex;
      const answer = this.#asks.get(ask ?? 0);
      if (failure) answer?.reject(decodeFailure(failure));
      else answer?.resolve(index ?? 0);
    }
    if (message.progress) {
      const { commitIndex, digestIndex, digest } = message.progress;
      if (digest && digest.length > 0) {
        this.#expected ??= { revision: (digestIndex ?? 0) as Revision, digest };
      }
      this.#compare();
      this.#options.onProgress(commitIndex ?? 0);
      this.#stream.write(this.#state());
    }
  }

  async #apply(message: FollowResponseMessage): Promise<void> {
    const { store, recent } = this.#options;
    await store.room();
    const entries = (message.entries ?? [])
      .map(decodeEntry)
      .filter((entry) => entry.index > store.revision);
    const first = entries[0];
    if (first === undefined) return;
    if (first.index !== store.revision + 1) {
      throw this.#lost(`entry ${first.index} came after ${store.revision}`);
    }
    store.apply(entries, decodeMembership(message.membership ?? {}));
    recent.push(entries);
    this.#compare();
  }

  async #install(start: FollowResponseMessage, frames: Frames): Promise<void> {
    const { store, recent, onSnapshot } = this.#options;
    const meta: SnapshotMeta = {
      index: (start.snapshotStart?.index ?? 0) as LogIndex,
      term: (start.snapshotStart?.term ?? 0) as Term,
      membership: decodeMembership(start.membership ?? {}),
    };
    onSnapshot('started');
    await store.installSnapshot(meta, this.#snapshotChunks(frames));
    this.#expected = undefined;
    recent.reset(store.revision);
    onSnapshot('installed');
  }

  async *#snapshotChunks(frames: Frames): AsyncGenerator<Uint8Array> {
    for (;;) {
      const { done, value } = await frames.next();
      if (done === true) throw this.#lost('the source ended in the midst of a snapshot');
      this.#heardMs = this.#options.clock.monotonicMs();
      this.#receiveSmall(value);
      if (value.snapshotEnd === true) return;
      if (value.snapshotChunk && value.snapshotChunk.length > 0) yield value.snapshotChunk;
    }
  }

  /** Compares the running digests once this replica has come to where the source's was taken. */
  #compare(): void {
    const { store, node } = this.#options;
    const expected = this.#expected;
    if (expected === undefined || expected.revision > store.revision) return;
    this.#expected = undefined;
    const own = store.digestAt(expected.revision);
    if (own === undefined || equalBytes(own, expected.digest)) return;
    throw new StrongroomError(
      'store.diverged',
      `The state of node ${this.#options.self.node} differs from that of node ${node} at revision ${expected.revision}. It serves nothing any more; remove its state and let it be fed a snapshot`,
      { details: { node, revision: expected.revision } },
    );
  }

  #state(): FollowRequestMessage {
    const stalenessMs = Math.min(this.#options.stalenessMs(), STALENESS_UNKNOWN_MS);
    return {
      appliedIndex: this.#options.store.revision,
      stalenessMs: Math.round(stalenessMs),
    };
  }

  #watchIdle(): void {
    const { clock, idleMs } = this.#options;
    this.#idleTimer = clock.after(idleMs / 2, () => {
      if (clock.monotonicMs() - this.#heardMs >= idleMs) this.#stream.cancel();
      else this.#watchIdle();
    });
  }

  #lost(because: string): StrongroomError {
    const { node } = this.#options;
    return new StrongroomError(
      'replication.unreachable',
      `Cannot follow node ${node}: ${because}`,
      { details: { node } },
    );
  }
}
