import { hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RestoreOptions } from '../../api/index.ts';
import {
  asAbortSignal,
  type Cancellation,
  type Clock,
  concatBytes,
  equalBytes,
  StrongroomError,
} from '../../lib/index.ts';
import {
  openStore,
  type Store,
  type Transaction,
  type TransactionResult,
  type Write,
} from '../../store/index.ts';
import { type Logger, quietLogger, quietMetrics } from '../../telemetry/index.ts';
import { KEYRING_RECORD, type TokenSurvival } from '../../vault/index.ts';
import { CA_KEY_RECORD } from '../cluster/admission.ts';
import { systemKey, systemRange } from '../cluster/system-records.ts';
import { invalid, openSnapshotFile, toFile } from './snapshot-file.ts';
import { isTokenKey, type StoreRange, tokenKeys, tokenRanges } from './token-fence.ts';

export const RESTORING_RECORD = 'cluster/restoring';
/** There while a restore is under way that has ended what tokens it must not bring back. */
const SPARED_RECORD = 'cluster/restoring/tokens-spared';
const BATCH_BYTES = 512 * 1024;
const PAGE = 500;
const RANGES_A_WRITE = 64;
const SNAPSHOT_BYTES_MAX = 1024 ** 4;
const WRITE_MS = 60_000;
const EVERYTHING = { start: new Uint8Array([0]), end: new Uint8Array([0xff]) };

/** What stays as it is when a snapshot is restored: who the cluster is, not what it keeps. */
const kept = [
  'audit/',
  'cluster/next-node',
  'cluster/restoring',
  'integrity/',
  'join-tokens/',
  'members/',
] as const;

/** Of another cluster's snapshot these are not taken as they are: they follow in one last write. */
const keptOfForeign = [...kept, CA_KEY_RECORD, KEYRING_RECORD, 'seal/'].sort();

export interface SnapshotKeeperOptions {
  readonly store: Store;
  readonly commit: (transaction: Transaction, signal: Cancellation) => Promise<TransactionResult>;
  readonly clusterId: string;
  /** For the copy that is verified before anything is changed. */
  readonly folder: string;
  /**
   * What makes the content of another cluster's snapshot readable here: records by name, sealed for
   * this cluster. @throws StrongroomError `seal.foreign-closed`
   */
  readonly takeOver: (
    foreign: ForeignState,
    shares: readonly string[],
  ) => Promise<ReadonlyMap<string, Uint8Array>>;
  readonly survival: Pick<TokenSurvival, 'keyOf' | 'survives'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What was installed from another cluster's file, beside the id that its seal is bound to. */
export interface ForeignState {
  readonly store: Store;
  readonly clusterId: string;
}

interface RestorePlan {
  readonly marker: Uint8Array;
  /** Tokens that ended since the snapshot was taken come to life again. */
  readonly revivesTokens: boolean;
  /** A restore that was cut short has left those tokens only that may stay. */
  readonly spared: boolean;
  /** Records that are written at the end, by name. */
  readonly last: ReadonlyMap<string, Uint8Array>;
  /** Names that are left as they are, in order. */
  readonly keep: readonly string[];
}

/**
 * Snapshots for operators. A restore goes through the log like any write, in batches, behind a
 * marker that keeps every node from serving half of it; cut short, it is run again.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #busy = false;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** Whether a restore was cut short that this token had begun: it may run it to its end. */
  mayGoOn(token: string | undefined): boolean {
    using view = this.#options.store.view();
    const marker = view.get(systemKey(RESTORING_RECORD));
    if (marker === undefined || token === undefined) return false;
    return equalBytes(marker.value, tokenDigest(token));
  }

  async *save(): AsyncGenerator<Uint8Array> {
    const { store, clusterId, clock } = this.#options;
    await using source = await store.openSnapshot();
    const { index, term, membership } = source.meta;
    const { voters, learners, removed } = membership;
    const header = {
      clusterId,
      takenAtMs: clock.wallMs(),
      index,
      term,
      membership: { voters: [...voters], learners: [...learners], removed: [...removed] },
    };
    yield* toFile(header, source.chunks());
  }

  /**
   * Replaces everything but the cluster's own records. The whole file is verified first.
   *
   * @returns the revision after it.
   * @throws StrongroomError `store.snapshot-invalid`, `seal.foreign-closed` with nothing changed.
   */
  async restore(
    bytes: AsyncIterable<Uint8Array>,
    options: RestoreOptions & { readonly token: string | undefined; readonly signal: Cancellation },
  ): Promise<number> {
    const { signal } = options;
    if (this.#busy) {
      throw new StrongroomError('cluster.restoring', 'Cannot restore: another restore is running');
    }
    this.#busy = true;
    const folder = join(this.#options.folder, 'restore');
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = join(folder, 'file');
      await pipeline(bounded(bytes), createWriteStream(file, { mode: 0o600 }), {
        signal: asAbortSignal(signal),
      });
      const { staged: store, clusterId } = await this.#stage(file, join(folder, 'state'), options);
      await using staged = store;
      const isForeign = clusterId !== this.#options.clusterId;
      const spared = this.#hasSparedTokens();
      const revivesTokens = isForeign || options.reviveTokens;
      if (!revivesTokens && !spared) this.#requireLasting(staged, options.token ?? '');
      const last = isForeign
        ? await this.#options.takeOver({ store: staged, clusterId }, options.shares)
        : new Map<string, Uint8Array>();
      return await this.#replaceBy(staged, {
        marker: tokenDigest(options.token ?? ''),
        revivesTokens,
        spared,
        last,
        keep: isForeign ? keptOfForeign : kept,
      });
    } finally {
      this.#busy = false;
      await rm(folder, { recursive: true, force: true });
    }
  }

  #hasSparedTokens(): boolean {
    using view = this.#options.store.view();
    return view.get(systemKey(SPARED_RECORD)) !== undefined;
  }

  /** Whoever restores must be able to look after what was restored. */
  #requireLasting(staged: Store, token: string): void {
    const { survival, clock } = this.#options;
    const key = survival.keyOf(token, clock.wallMs());
    using view = staged.view();
    if (
      key !== undefined &&
      survival.survives(key, clock.wallMs()) &&
      view.get(key) !== undefined
    ) {
      return;
    }
    throw new StrongroomError(
      'cluster.change-refused',
      'Cannot restore: your own token would be gone afterwards, because it is younger than the snapshot or has limited uses; use another, or restore with --revive-tokens, which brings back every token of the snapshot, those revoked since too',
    );
  }

  /** Installs the file into a store of its own: whatever is wrong with it is found there. */
  async #stage(
    file: string,
    directory: string,
    { foreign }: RestoreOptions,
  ): Promise<{ readonly staged: Store; readonly clusterId: string }> {
    const opened = await openSnapshotFile(createReadStream(file));
    const { clusterId } = opened.header;
    if (clusterId !== this.#options.clusterId && !foreign) {
      throw invalid(
        'it is of another cluster; if its seal can be opened here, restore it with --foreign',
      );
    }
    const staged = await openStore({
      directory,
      clock: this.#options.clock,
      log: quietLogger,
      metrics: quietMetrics,
    });
    try {
      await staged.installSnapshot(opened.meta, opened.chunks);
      using view = staged.view();
      if (view.get(systemKey('seal/layout')) === undefined) {
        throw invalid('it was taken before the cluster was initialised');
      }
      return { staged, clusterId };
    } catch (error) {
      await staged[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #replaceBy(staged: Store, plan: RestorePlan): Promise<number> {
    const { log } = this.#options;
    log.warn({ revision: staged.revision, foreign: plan.last.size > 0 }, 'Restoring a snapshot');
    await this.#write([{ kind: 'put', key: systemKey(RESTORING_RECORD), value: plan.marker }]);
    const spared = plan.revivesTokens ? [] : await this.#spareTokens(staged, plan);
    await this.#clear(plan.keep, spared);
    await this.#fill(staged, plan);
    // In one moment, so that no crash leaves keys that do not fit what they are to open.
    const done = await this.#write([
      ...[...plan.last].map(([name, value]) => ({
        kind: 'put' as const,
        key: systemKey(name),
        value,
      })),
      { kind: 'delete', key: systemKey(SPARED_RECORD) },
      { kind: 'delete', key: systemKey(RESTORING_RECORD) },
    ]);
    log.warn({ revision: done }, 'The snapshot is restored');
    return done;
  }

  /**
   * Leaves of the present tokens those that the snapshot has too and that are alive: only they are
   * filled in from it. The log cannot say which were revoked, but what is here now can: so tokens
   * are not cleared with the rest, and a restore that is run again finds the same.
   *
   * @returns where they are.
   */
  async #spareTokens(staged: Store, plan: RestorePlan): Promise<readonly StoreRange[]> {
    const { store, survival, clock } = this.#options;
    using kept = staged.view();
    for await (const keys of tokenKeys(store)) {
      const nowMs = clock.wallMs();
      const gone = keys.filter(
        (key) => kept.get(key) === undefined || (!plan.spared && !survival.survives(key, nowMs)),
      );
      if (gone.length > 0) await this.#write(gone.map((key) => ({ kind: 'delete', key })));
    }
    await this.#write([{ kind: 'put', key: systemKey(SPARED_RECORD), value: plan.marker }]);
    return tokenRanges(store);
  }

  async #clear(keep: readonly string[], spared: readonly StoreRange[]): Promise<void> {
    const stays = [...keep.map(systemRange), ...spared].sort((a, b) =>
      Buffer.compare(a.start, b.start),
    );
    // Between what stays, in order, everything goes.
    let start: Uint8Array = EVERYTHING.start;
    let writes: Write[] = [];
    for (const { start: from, end: to } of stays) {
      writes.push({ kind: 'delete-range', start, end: from });
      start = to;
      if (writes.length < RANGES_A_WRITE) continue;
      await this.#write(writes);
      writes = [];
    }
    writes.push({ kind: 'delete-range', start, end: EVERYTHING.end });
    await this.#write(writes);
  }

  async #fill(staged: Store, { keep, revivesTokens }: RestorePlan): Promise<void> {
    const { store } = this.#options;
    const ended = (key: Uint8Array) => {
      if (revivesTokens || !isTokenKey(key)) return false;
      using view = store.view();
      return view.get(key) === undefined;
    };
    const deadlines = await deadlinesOf(staged);
    let writes: Write[] = [];
    let bytes = 0;
    for await (const { key, value } of recordsOf(staged)) {
      if (isKept(key, keep) || ended(key)) continue;
      const expiresAtMs = deadlines.get(Buffer.from(key).toString('latin1'));
      writes.push({
        kind: 'put',
        key,
        value,
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      });
      bytes += key.length + value.length;
      if (bytes < BATCH_BYTES) continue;
      await this.#write(writes);
      writes = [];
      bytes = 0;
    }
    if (writes.length > 0) await this.#write(writes);
  }

  async #write(writes: readonly Write[]): Promise<number> {
    const limit = AbortSignal.timeout(WRITE_MS);
    const result = await this.#options.commit({ reads: [], writes }, limit);
    if (result.kind === 'committed') return result.revision;
    throw new StrongroomError('store.conflict', 'Cannot restore: the state was changed meanwhile');
  }
}

async function* recordsOf(store: Store) {
  let start: Uint8Array = EVERYTHING.start;
  using view = store.view();
  for (;;) {
    const page = await view.range({ start, end: EVERYTHING.end, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    start = concatBytes(last.key, Uint8Array.of(0));
  }
}

/** Deadlines are not part of what a view tells, so they are asked for by themselves. */
async function deadlinesOf(store: Store): Promise<ReadonlyMap<string, number>> {
  const due = await store.expired(Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER);
  return new Map(
    due.map(({ key, expiresAtMs }) => [Buffer.from(key).toString('latin1'), expiresAtMs]),
  );
}

function isKept(key: Uint8Array, keep: readonly string[]): boolean {
  return keep.some((name) => {
    const { start, end } = systemRange(name);
    return Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0;
  });
}

/** Tokens are random, so this tells nothing of one. */
function tokenDigest(token: string): Uint8Array {
  return hash('sha256', `strongroom/restore ${token}`, 'buffer');
}

async function* bounded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > SNAPSHOT_BYTES_MAX) {
      throw new StrongroomError('request.too-large', 'Cannot restore a snapshot of over 1 TiB');
    }
    yield chunk;
  }
}
