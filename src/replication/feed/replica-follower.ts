import type { ChannelCredentials } from '@grpc/grpc-js';
import {
  type Cancellation,
  type Clock,
  deferred,
  hasCode,
  InvariantError,
  type Random,
  StrongroomError,
} from '../../lib/index.ts';
import type { NodeId, SelfIdentity } from '../../raft/index.ts';
import type { Store } from '../../store/index.ts';
import type { Counter, Logger, Metrics } from '../../telemetry/index.ts';
import { Freshness } from '../consistency/freshness.ts';
import { FollowSession } from './follow-session.ts';
import { type ReplicaLagMetrics, replicaLagMetrics } from './lag-metrics.ts';
import { RecentEntries } from './recent-entries.ts';

export interface Source {
  readonly node: NodeId;
  /** "host:port" of its peer server. */
  readonly address: string;
}

export interface ReplicaFollowerOptions {
  readonly self: SelfIdentity;
  readonly region: string;
  readonly store: Store;
  /** In the order of preference: near ones first. */
  readonly sources: () => readonly Source[];
  /** Asked for each connection: certificates are renewed while the node runs. */
  readonly credentials: () => ChannelCredentials;
  readonly channelOptions?: (node: NodeId) => Readonly<Record<string, string | number>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** `lag().fresh`, and the bound above which a gate should serve nothing. */
  readonly stalenessMaxMs: number;
  readonly probeIntervalMs?: number;
  readonly idleMs?: number;
  /** Told when this replica cannot go on: its state diverged, or its disk failed. */
  readonly onFailed?: (error: unknown) => void;
}

export type FollowState = 'connecting' | 'following' | 'snapshot' | 'failed' | 'stopped';

export interface ReplicaStatus {
  readonly state: FollowState;
  readonly source: NodeId | undefined;
  readonly appliedIndex: number;
  /** What the source had committed when it last spoke. */
  readonly sourceCommit: number;
}

export interface ReplicaLag {
  readonly entries: number;
  /** How old the state can be; infinite when nothing was confirmed yet. */
  readonly ms: number;
  readonly fresh: boolean;
}

const PROBE_INTERVAL_MS = 250;
const IDLE_MS = 3000;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5000;

/** Keeps a replica's store fed from one source at a time, and goes to the next when one is lost. */
export class ReplicaFollower implements AsyncDisposable {
  /** For replicas that follow this one. */
  readonly recent: RecentEntries;
  readonly freshness: Freshness;
  readonly #options: ReplicaFollowerOptions;
  readonly #stop = new AbortController();
  readonly #lag: ReplicaLagMetrics;
  readonly #reconnects: Counter;
  readonly #snapshots: Counter;
  #session: FollowSession | undefined;
  #source: NodeId | undefined;
  #state: FollowState = 'connecting';
  #sourceCommit = 0;
  #failure: StrongroomError | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ReplicaFollowerOptions) {
    this.#options = options;
    const { store, clock, metrics } = options;
    this.recent = new RecentEntries(store.revision);
    this.freshness = new Freshness({
      store,
      clock,
      askReadIndex: (signal) => this.readIndex(signal),
      probeIntervalMs: options.probeIntervalMs ?? PROBE_INTERVAL_MS,
    });
    this.#lag = replicaLagMetrics(metrics);
    this.#reconnects = metrics.counter({
      name: 'strongroom_replication_source_changes_total',
      help: 'Times that this replica began to follow a source',
    });
    this.#snapshots = metrics.counter({
      name: 'strongroom_replication_snapshots_total',
      help: 'Snapshots that this replica was fed',
    });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  status(): ReplicaStatus {
    return {
      state: this.#state,
      source: this.#source,
      appliedIndex: this.#options.store.revision,
      sourceCommit: this.#sourceCommit,
    };
  }

  lag(): ReplicaLag {
    const ms = this.freshness.stalenessMs();
    const entries = Math.max(0, this.#sourceCommit - this.#options.store.revision);
    const fresh = this.#failure === undefined && ms <= this.#options.stalenessMaxMs;
    return { entries, ms, fresh };
  }

  /** Why this replica may serve nothing; for the gate. */
  failure(): StrongroomError | undefined {
    return this.#failure;
  }

  /** Asks the source. @throws StrongroomError `replication.unreachable`, `raft.no-leader` */
  async readIndex(signal: Cancellation): Promise<number> {
    if (this.#session === undefined) {
      throw new StrongroomError(
        'replication.unreachable',
        `Cannot confirm the state of replica ${this.#options.self.node}: it follows no source just now`,
      );
    }
    return await this.#session.readIndex(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#session?.close();
    await this.#running;
    await this.freshness[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    let failures = 0;
    let next = 0;
    while (!this.#stop.signal.aborted && this.#failure === undefined) {
      const sources = this.#options
        .sources()
        .filter(({ node }) => node !== this.#options.self.node);
      const source = sources[next % Math.max(1, sources.length)];
      if (source !== undefined && (await this.#follow(source))) {
        failures = 0;
        next = 0;
      } else {
        failures++;
        next++;
      }
      // Every source is tried once before the first pause.
      if (failures % Math.max(1, sources.length) === 0) await this.#pause(failures);
    }
    if (this.#failure === undefined) this.#state = 'stopped';
  }

  /** @returns whether the source spoke to us at all */
  async #follow(source: Source): Promise<boolean> {
    const { log, store } = this.#options;
    let heard = false;
    this.#state = 'connecting';
    const session = this.#open(source, () => {
      if (!heard) log.info({ source: source.node, from: store.revision }, 'Follows a source');
      heard = true;
    });
    this.#session = session;
    this.#source = source.node;
    this.#reconnects.add();
    try {
      await session.run();
    } catch (error) {
      this.#met(error, source);
    } finally {
      session.close();
      this.#session = undefined;
      this.#source = undefined;
    }
    return heard;
  }

  #open(source: Source, onHeard: () => void): FollowSession {
    const { self, region, store, credentials, channelOptions, clock, idleMs } = this.#options;
    return new FollowSession({
      self,
      node: source.node,
      address: source.address,
      credentials: credentials(),
      channelOptions: channelOptions?.(source.node) ?? {},
      region,
      store,
      recent: this.recent,
      clock,
      idleMs: idleMs ?? IDLE_MS,
      stalenessMs: () => this.freshness.stalenessMs(),
      onProgress: (sourceCommit) => {
        onHeard();
        if (this.#state === 'connecting') this.#state = 'following';
        this.#sourceCommit = sourceCommit;
        const { entries, ms } = this.lag();
        this.#lag.observe(region, entries, Number.isFinite(ms) ? ms : clock.monotonicMs());
      },
      onSnapshot: (phase) => {
        this.#state = phase === 'started' ? 'snapshot' : 'following';
        if (phase === 'started') this.#snapshots.add();
      },
    });
  }

  #met(error: unknown, source: Source): void {
    if (this.#stop.signal.aborted) return;
    const { log, onFailed } = this.#options;
    const fatal =
      error instanceof InvariantError ||
      hasCode(error, 'store.diverged', 'store.disk-failed', 'store.corrupt');
    if (!fatal) {
      log.warn({ source: source.node, error }, 'Lost the source, turns to the next');
      return;
    }
    this.#state = 'failed';
    this.#failure = hasCode(error, 'store.diverged', 'store.disk-failed', 'store.corrupt')
      ? error
      : new StrongroomError('store.corrupt', 'The replica met a broken invariant', {
          cause: error,
        });
    this.freshness.forget();
    log.error({ source: source.node, error }, 'The replica takes itself out');
    onFailed?.(error);
  }

  /** Grows, and is spread, so that many replicas do not come back all at once. */
  async #pause(failures: number): Promise<void> {
    const { clock, random } = this.#options;
    const mostMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10));
    const woken = deferred<void>();
    const wake = (): void => woken.resolve();
    const timer = clock.after(mostMs / 2 + random.below(mostMs / 2), wake);
    this.#stop.signal.addEventListener('abort', wake, { once: true });
    if (!this.#stop.signal.aborted) await woken.promise;
    timer.cancel();
    this.#stop.signal.removeEventListener('abort', wake);
  }
}
