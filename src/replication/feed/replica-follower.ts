import type { ChannelCredentials } from '@grpc/grpc-js';
import {
  type Cancellation,
  type Clock,
  deferred,
  hasCode,
  InvariantError,
  type Random,
  StrongroomError,
  type Timer,
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
  /** A better source than the present one is turned to at looks so far apart. */
  readonly betterMs?: number;
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
/** A region that is joined again is fresh soon after; until then this costs one handshake a try. */
const BACKOFF_MAX_MS = 1000;
/** A source that was lost or was stale is the last choice for so long, more the oftener it is. */
const SHUN_MIN_MS = 5_000;
const SHUN_MAX_MS = 300_000;
/** So often a replica that follows a worse source looks for a better one. */
const BETTER_MS = 10_000;

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
  readonly #shunned = new Map<NodeId, { readonly untilMs: number; readonly forMs: number }>();

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
    while (!this.#stop.signal.aborted && this.#failure === undefined) {
      const [source] = this.#inOrder();
      if (source !== undefined && (await this.#follow(source))) failures = 0;
      else failures++;
      // Every source is tried once before the first pause.
      const [next] = this.#inOrder();
      if (next === undefined || this.#isShunned(next)) await this.#pause(failures);
    }
    if (this.#failure === undefined) this.#state = 'stopped';
  }

  /** The best first; those that were lost lately last, the one that was so longest ago before others. */
  #inOrder(): readonly Source[] {
    const { sources, self } = this.#options;
    const shunnedUntil = (source: Source) =>
      this.#isShunned(source) ? (this.#shunned.get(source.node)?.untilMs ?? 0) : 0;
    return sources()
      .filter(({ node }) => node !== self.node)
      .sort((a, b) => shunnedUntil(a) - shunnedUntil(b));
  }

  #isShunned({ node }: Source): boolean {
    return (this.#shunned.get(node)?.untilMs ?? 0) > this.#options.clock.monotonicMs();
  }

  /** Doubles for a source that is lost again soon after it was turned to anew. */
  #shun(node: NodeId): void {
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#shunned.get(node);
    const isFresh = before !== undefined && nowMs - before.untilMs < before.forMs;
    const forMs = isFresh ? Math.min(2 * before.forMs, SHUN_MAX_MS) : SHUN_MIN_MS;
    this.#shunned.set(node, { untilMs: nowMs + forMs, forMs });
  }

  /**
   * Ends the session when its source cannot prove to be fresh, though others may; or when a better
   * source may be had again. The state goes on exactly where it is.
   */
  #watchSource(source: Source, session: FollowSession): Timer {
    const { clock, log, stalenessMaxMs } = this.#options;
    const staleMs = stalenessMaxMs / 2;
    const betterMs = this.#options.betterMs ?? BETTER_MS;
    let lookedMs = clock.monotonicMs();
    // Not before it is heard: over a long way the connection alone takes a while, and what was
    // missed has to come before any proof.
    let followingMs: number | undefined;
    const stop = { timer: undefined as Timer | undefined, stopped: false };
    const look = () => {
      if (stop.stopped) return;
      const nowMs = clock.monotonicMs();
      const isFollowing = this.#state === 'following';
      if (isFollowing) followingMs ??= nowMs;
      const hadTime = followingMs !== undefined && nowMs - followingMs > staleMs;
      if (isFollowing && hadTime && this.freshness.stalenessMs() > staleMs) {
        log.warn({ source: source.node }, 'The source cannot prove to be fresh, turns to the next');
        this.#shun(source.node);
        session.close();
        return;
      }
      if (isFollowing && nowMs - lookedMs >= betterMs) {
        lookedMs = nowMs;
        const [best] = this.#inOrder();
        if (best !== undefined && best.node !== source.node) {
          log.info({ source: source.node, better: best.node }, 'Turns to a better source');
          session.close();
          return;
        }
      }
      stop.timer = clock.after(Math.min(staleMs, betterMs) / 4, look);
    };
    look();
    return {
      cancel() {
        stop.stopped = true;
        stop.timer?.cancel();
      },
    };
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
    const watch = this.#watchSource(source, session);
    try {
      await session.run();
    } catch (error) {
      // One that this replica left by itself was not lost.
      if (!session.wasLeft) this.#met(error, source);
    } finally {
      watch.cancel();
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
      this.#shun(source.node);
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
