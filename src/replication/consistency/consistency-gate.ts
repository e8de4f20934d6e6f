import {
  type Cancellation,
  type Clock,
  hasCode,
  LinkedCancel,
  StrongroomError,
  unreachable,
} from '../../lib/index.ts';
import type { Revision, Store } from '../../store/index.ts';
import type { Freshness } from './freshness.ts';

/** How fresh a read must be. */
export type Consistency =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'at-least'; readonly revision: number }
  | { readonly kind: 'bounded'; readonly stalenessMs: number }
  | { readonly kind: 'eventual' };

export interface ConsistencyGateOptions {
  readonly store: Pick<Store, 'revision' | 'whenApplied'>;
  readonly freshness: Freshness;
  readonly clock: Clock;
  /** A replica that cannot prove to be fresher than this serves nothing. */
  readonly stalenessMaxMs?: number;
  /** It does not ask all the time, as a replica does, but when it must know: a voter. */
  readonly asksWhenStale?: boolean;
  /** How long a read may wait for its revision. */
  readonly waitMaxMs?: number;
  /** Why nothing may be served, such as `store.diverged`. */
  readonly failure?: () => StrongroomError | undefined;
}

const WAIT_MAX_MS = 5000;

/** Opens when the local state is fresh enough for a read. */
export class ConsistencyGate {
  readonly #options: ConsistencyGateOptions;

  constructor(options: ConsistencyGateOptions) {
    this.#options = options;
  }

  /**
   * Resolves when a view that is opened now satisfies `consistency`.
   *
   * @throws StrongroomError `replication.stale`, `replication.behind`, `replication.unknown-revision`,
   *   `store.diverged`, and, when
   *   a read index is needed, `raft.no-leader` or `replication.unreachable`.
   */
  async ready(consistency: Consistency, signal: Cancellation): Promise<void> {
    const failure = this.#options.failure?.();
    if (failure !== undefined) throw failure;
    signal.throwIfAborted();
    switch (consistency.kind) {
      case 'linearizable':
        await this.#renew(signal);
        return;
      case 'at-least':
        await this.#atLeast(consistency.revision, signal);
        await this.#withinOwnBound(signal);
        return;
      case 'bounded':
        await this.#bounded(consistency.stalenessMs, signal);
        return;
      case 'eventual':
        await this.#withinOwnBound(signal);
        return;
      default:
        unreachable(consistency);
    }
  }

  async #renew(signal: Cancellation): Promise<void> {
    await this.#within(signal, 'replication.behind', (limited) =>
      this.#options.freshness.renew(limited),
    );
  }

  async #atLeast(revision: number, signal: Cancellation): Promise<void> {
    const { store } = this.#options;
    if (store.revision >= revision) return;
    await this.#within(signal, 'replication.behind', async (limited) => {
      using either = new LinkedCancel(limited);
      const reached = store.whenApplied(revision as Revision, either);
      try {
        await Promise.race([reached, this.#neverMade(revision, either)]);
      } finally {
        reached.catch(() => undefined);
        either.abort(new StrongroomError('request.cancelled', 'The wait for a revision has ended'));
      }
    });
  }

  /**
   * Rejects as soon as it is sure that no wait can help: what was acknowledged is never above an
   * index that a quorum confirms later, so a higher revision is of another cluster, or of this one
   * before a restore on new nodes. Else never ends.
   */
  async #neverMade(revision: number, signal: Cancellation): Promise<never> {
    const confirmed = await this.#options.freshness.confirmed(signal).catch(() => revision);
    if (confirmed >= revision) return await new Promise<never>(() => {});
    throw new StrongroomError(
      'replication.unknown-revision',
      `Revision ${revision} was asked for, but this cluster has committed no more than ${confirmed}: it is of another cluster, or from before a restore. Read without it`,
      { details: { revision: confirmed } },
    );
  }

  /** What is proven already is enough; else a read index proves it now. */
  async #bounded(stalenessMs: number, signal: Cancellation): Promise<void> {
    const { freshness, stalenessMaxMs } = this.#options;
    const boundMs = Math.min(stalenessMs, stalenessMaxMs ?? Number.POSITIVE_INFINITY);
    if (freshness.stalenessMs() <= boundMs) return;
    try {
      await this.#renew(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // It may have become fresh while this waited.
      if (freshness.stalenessMs() <= boundMs) return;
      throw this.#stale(boundMs, error);
    }
  }

  /** Also for reads of any age: tokens that were revoked meanwhile must not be honoured for ever. */
  async #withinOwnBound(signal: Cancellation): Promise<void> {
    const { freshness, stalenessMaxMs, asksWhenStale } = this.#options;
    if (stalenessMaxMs === undefined || freshness.stalenessMs() <= stalenessMaxMs) return;
    if (asksWhenStale !== true) throw this.#stale(stalenessMaxMs, undefined);
    await this.#bounded(stalenessMaxMs, signal);
  }

  async #within(
    signal: Cancellation,
    code: 'replication.behind',
    wait: (limited: Cancellation) => Promise<void>,
  ): Promise<void> {
    const { clock, store } = this.#options;
    const waitMaxMs = this.#options.waitMaxMs ?? WAIT_MAX_MS;
    using limit = new LinkedCancel(signal);
    const timer = clock.after(waitMaxMs, () =>
      limit.abort(
        new StrongroomError(
          code,
          `This node has applied revision ${store.revision} and did not reach the one that was asked for within ${waitMaxMs} ms, ask another node`,
          { details: { revision: store.revision } },
        ),
      ),
    );
    try {
      await wait(limit);
    } finally {
      timer.cancel();
    }
  }

  #stale(boundMs: number, cause: unknown): StrongroomError {
    const age = this.#options.freshness.stalenessMs();
    const how = Number.isFinite(age) ? `up to ${Math.ceil(age)} ms old` : 'of unknown age';
    const why = hasCode(cause, 'replication.unreachable', 'raft.no-leader')
      ? `; ${cause.message}`
      : '';
    return new StrongroomError(
      'replication.stale',
      `The state of this node is ${how}, at most ${boundMs} ms are allowed${why}. Ask another node`,
      { cause },
    );
  }
}
