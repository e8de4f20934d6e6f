import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import {
  type Cancellation,
  type Clock,
  hasCode,
  StrongroomError,
  type Timer,
} from '../../lib/index.ts';
import {
  acceptHello,
  type Incarnations,
  type LogIndex,
  type NodeId,
  refusalStatus,
  type SelfIdentity,
} from '../../raft/index.ts';
import type { Store } from '../../store/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import {
  type FollowRequestMessage,
  type FollowResponseMessage,
  feedService,
} from '../peer-channel.ts';
import { encodeFailure } from '../peer-failure.ts';
import { requireMember } from '../peer-member.ts';
import { raceAbort } from '../shared-round.ts';
import type { EntrySource } from './entry-source.ts';
import { encodeEntry, encodeMembership, feedBatches } from './feed-messages.ts';
import { type ReplicaLagMetrics, replicaLagMetrics } from './lag-metrics.ts';

export interface FeedServerOptions {
  readonly self: SelfIdentity;
  readonly source: EntrySource;
  readonly store: Store;
  /** An index that was committed after the call: asked of the leader, or of this replica's source. */
  readonly readIndex: (signal: Cancellation) => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Off only where connections are not encrypted: in tests. */
  readonly requirePeerCertificate: boolean;
  readonly incarnations?: Incarnations;
  /** Asked again and again: a replica that is removed is not fed any more. */
  readonly isMember?: (node: NodeId) => boolean;
  readonly progressMs?: number;
  readonly followersMax?: number;
}

type Call = ServerDuplexStream<FollowRequestMessage, FollowResponseMessage>;

const PROGRESS_MS = 250;
const FOLLOWERS_MAX = 256;

/** Feeds the committed log to read replicas, from a voter or from a replica. */
export class FeedServer {
  readonly #options: FeedServerOptions;
  readonly #lag: ReplicaLagMetrics;
  #followers = 0;

  constructor(options: FeedServerOptions) {
    this.#options = options;
    this.#lag = replicaLagMetrics(options.metrics);
  }

  register(server: Server): void {
    server.addService(feedService, { follow: (call: Call) => this.#serve(call) });
  }

  #serve(call: Call): void {
    const stop = new AbortController();
    const gone = (): void => {
      if (stop.signal.aborted) return;
      stop.abort(new StrongroomError('request.cancelled', 'The replica went away'));
    };
    let session: FeedSession | undefined;
    call.on('error', gone);
    call.on('cancelled', gone);
    call.on('close', gone);
    call.on('end', () => {
      gone();
      call.end();
    });
    call.on('data', (message: FollowRequestMessage) => {
      if (stop.signal.aborted) return;
      try {
        session ??= this.#accept(call, message, stop.signal);
        session.receive(message);
      } catch (error) {
        this.#refuse(call, error);
      }
    });
  }

  #accept(call: Call, message: FollowRequestMessage, signal: Cancellation): FeedSession {
    const { self, log, followersMax } = this.#options;
    const { node } = acceptHello(call, message.hello, self, this.#options);
    requireMember(node, this.#options.isMember);
    if (this.#followers >= (followersMax ?? FOLLOWERS_MAX)) {
      throw new StrongroomError(
        'request.overloaded',
        `Node ${self.node} feeds ${this.#followers} replicas already, follow another node`,
      );
    }
    const region = regionOf(message);
    const session = new FeedSession(this.#options, this.#lag, call, { node, region }, signal);
    this.#followers++;
    signal.addEventListener('abort', () => {
      this.#followers--;
    });
    log.info({ replica: node, region, from: message.appliedIndex ?? 0 }, 'Feeds a replica');
    session.run(message.appliedIndex ?? 0).catch((error: unknown) => {
      if (!signal.aborted) this.#refuse(call, error);
    });
    return session;
  }

  #refuse(call: Call, error: unknown): void {
    this.#options.log.warn({ error }, 'Ended the feed of a replica');
    call.emit('error', refusalStatus(error));
  }
}

/** The label of a metric must come from a small set, so it is checked. */
function regionOf(message: FollowRequestMessage): string {
  const region = message.region ?? '';
  if (/^[A-Za-z0-9._-]{1,64}$/.test(region)) return region;
  throw new StrongroomError(
    'request.invalid',
    'Cannot feed a replica: its region is not a name of letters, digits, dots and dashes',
  );
}

interface Replica {
  readonly node: NodeId;
  readonly region: string;
}

class FeedSession {
  readonly #options: FeedServerOptions;
  readonly #lag: ReplicaLagMetrics;
  readonly #call: Call;
  readonly #replica: Replica;
  readonly #signal: Cancellation;
  #blocked = false;
  #timer: Timer | undefined;

  constructor(
    options: FeedServerOptions,
    lag: ReplicaLagMetrics,
    call: Call,
    replica: Replica,
    signal: Cancellation,
  ) {
    this.#options = options;
    this.#lag = lag;
    this.#call = call;
    this.#replica = replica;
    this.#signal = signal;
    call.on('drain', () => {
      this.#blocked = false;
    });
    signal.addEventListener('abort', () => this.#timer?.cancel());
  }

  receive(message: FollowRequestMessage): void {
    const behind = this.#options.source.commitIndex - (message.appliedIndex ?? 0);
    this.#lag.observe(this.#replica.region, Math.max(0, behind), message.stalenessMs ?? 0);
    if ((message.readIndexAsk ?? 0) > 0) void this.#answerReadIndex(message.readIndexAsk ?? 0);
  }

  /** Sends everything after `applied`, until the replica goes away. */
  async run(applied: number): Promise<void> {
    this.#sendProgress();
    let last = applied;
    while (!this.#signal.aborted) {
      try {
        last = await this.#sendEntries(last);
      } catch (error) {
        if (!hasCode(error, 'store.compacted')) throw error;
        last = await this.#sendSnapshot(last);
      }
    }
  }

  async #sendEntries(after: number): Promise<number> {
    const { source, store, isMember } = this.#options;
    let last = after;
    for await (const entries of source.committedEntries((after + 1) as LogIndex, this.#signal)) {
      for (const batch of feedBatches(entries)) {
        requireMember(this.#replica.node, isMember);
        const { membership } = store.applied();
        await this.#write({
          entries: batch.map(encodeEntry),
          membership: encodeMembership(membership),
        });
        last = batch.at(-1)?.index ?? last;
      }
    }
    return last;
  }

  async #sendSnapshot(after: number): Promise<number> {
    await using snapshot = await this.#options.store.openSnapshot();
    const { index, term, membership } = snapshot.meta;
    if (index <= after) {
      throw new StrongroomError(
        'replication.behind',
        `Cannot feed a replica that has entry ${after}: this node has no more than ${index}`,
      );
    }
    await this.#write({
      snapshotStart: { index, term },
      membership: encodeMembership(membership),
    });
    for await (const chunk of snapshot.chunks()) await this.#write({ snapshotChunk: chunk });
    await this.#write({ snapshotEnd: true });
    return index;
  }

  async #answerReadIndex(ask: number): Promise<void> {
    try {
      const index = await this.#options.readIndex(this.#signal);
      await this.#write({ readIndex: { ask, index } });
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#call.write({ readIndex: { ask, failure: encodeFailure(error) } });
    }
  }

  /** At a steady pace; not while the replica is slow to take what it already has to come. */
  #sendProgress(): void {
    const { source, store, clock, progressMs, isMember } = this.#options;
    if (this.#signal.aborted) return;
    try {
      requireMember(this.#replica.node, isMember);
    } catch (error) {
      this.#call.emit('error', refusalStatus(error));
      return;
    }
    if (!this.#blocked) {
      const { revision, digest } = store.digest();
      const commitIndex = source.commitIndex;
      const progress = { commitIndex, digestIndex: revision, digest };
      this.#blocked = !this.#call.write({ progress });
    }
    this.#timer = clock.after(progressMs ?? PROGRESS_MS, () => this.#sendProgress());
  }

  async #write(message: FollowResponseMessage): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#blocked) {
      await raceAbort(
        new Promise<void>((resolve) => {
          this.#call.once('drain', resolve);
        }),
        this.#signal,
      );
    }
    this.#blocked = !this.#call.write(message);
  }
}
