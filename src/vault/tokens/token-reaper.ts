import { type Clock, equalBytes, hasCode, type Timer } from '../../lib/index.ts';
import type { Store } from '../../store/index.ts';
import type { Counter, Logger, Metrics } from '../../telemetry/index.ts';
import type { NamespaceDeletion } from '../namespaces/namespace-deletion.ts';
import { SYSTEM_MOUNT, systemKind } from '../places.ts';
import type { VaultBackend } from '../ports.ts';
import type { StorageTransaction } from '../storage/storage.ts';
import type { TransactionRunner } from '../transaction-runner.ts';
import type { TokenRecord } from './token-record.ts';
import { childrenOf, dropToken, forgetChild, readToken, type TokenPlace } from './token-store.ts';
import { putToken } from './token-uses.ts';

const PASS_MS = 1_000;
const TOKENS_A_PASS = 200;
const CHILDREN_A_STEP = 64;
const STEP_MS = 30_000;
/** What ends a pass without a word: another node, or a later pass, goes on. */
const EXPECTED = [
  'cluster.restoring',
  'raft.not-leader',
  'raft.outcome-unknown',
  'seal.sealed',
  'store.conflict',
] as const;

/**
 * Works off tokens that ended, on the leader, by their deadlines: whoever has ended is refused at
 * once anyway, this takes away the records, and ends the children. Each step is one bounded
 * transaction that may be made twice; a fail-over in between loses nothing, because what is left is
 * still due.
 */
export class TokenReaper {
  readonly #store: Store;
  readonly #backend: VaultBackend;
  readonly #runner: TransactionRunner;
  readonly #deletion: NamespaceDeletion;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ended: Counter;
  #timer: Timer | undefined;
  #working: Promise<void> | undefined;
  #again = false;
  #stopped = true;

  constructor(options: {
    readonly backend: VaultBackend;
    readonly runner: TransactionRunner;
    /** Namespace deletions that were left unfinished are taken up in the same passes. */
    readonly deletion: NamespaceDeletion;
    readonly clock: Clock;
    readonly log: Logger;
    readonly metrics: Metrics;
  }) {
    this.#store = options.backend.store;
    this.#backend = options.backend;
    this.#runner = options.runner;
    this.#deletion = options.deletion;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#ended = options.metrics.counter({
      name: 'strongroom_token_ended_total',
      help: 'Tokens whose records were removed after they ended',
    });
  }

  start(): void {
    this.#stopped = false;
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#working;
  }

  /** Something was revoked just now. */
  wake(): void {
    if (this.#working === undefined) this.#schedule(0);
    else this.#again = true;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      this.#working = this.#pass().then((isMore) => {
        this.#working = undefined;
        const delay = isMore || this.#again ? 0 : PASS_MS;
        this.#again = false;
        this.#schedule(delay);
      });
    });
  }

  /** @returns whether more is due. */
  async #pass(): Promise<boolean> {
    try {
      if (!this.#backend.isLeader() || this.#backend.barrier() === undefined) return false;
      await this.#deletion.resume();
      const due = await this.#store.expired(this.#clock.wallMs(), TOKENS_A_PASS);
      let ended = 0;
      for (const { key } of due) {
        if (this.#stopped) return false;
        const place = this.#tokenAt(key);
        if (place !== undefined && (await this.#tryEnd(place))) ended++;
      }
      // Without progress a full page would be tried again at once, and again.
      return due.length === TOKENS_A_PASS && ended > 0;
    } catch (error) {
      // Lost leadership, was sealed, is being restored, or no majority: the next pass, here or
      // elsewhere, goes on.
      if (!hasCode(error, ...EXPECTED)) {
        this.#log.warn({ error: String(error) }, 'Could not work off what ended');
      }
      return false;
    }
  }

  /** One that cannot be ended does not keep the others. */
  async #tryEnd(place: TokenPlace): Promise<boolean> {
    try {
      await this.#end(place);
      return true;
    } catch (error) {
      if (hasCode(error, ...EXPECTED)) throw error;
      this.#log.warn({ error: String(error) }, 'Could not end a token');
      return false;
    }
  }

  #tokenAt(key: Uint8Array): TokenPlace | undefined {
    const barrier = this.#backend.barrier();
    if (barrier === undefined) return undefined;
    try {
      const { namespace, mount, kind, path } = barrier.openPlace(key);
      const [hash] = path;
      if (!equalBytes(mount, SYSTEM_MOUNT) || kind !== systemKind.token) return undefined;
      return hash === undefined ? undefined : { namespace, hash };
    } catch (error) {
      // A namespace that was deleted a moment ago: its records go with it.
      if (hasCode(error, 'barrier.no-namespace-key', 'barrier.sealed')) return undefined;
      throw error;
    }
  }

  async #end(place: TokenPlace): Promise<void> {
    for (let isLeft = true; isLeft && !this.#stopped; ) {
      const outcome = await this.#runner.run(
        async (storage) => {
          const record = readToken(storage, place);
          // Renewed meanwhile, or gone already.
          if (record === undefined || !isDue(record, this.#clock.wallMs())) return false;
          const children = await childrenOf(storage, place, CHILDREN_A_STEP);
          for (const child of children) {
            const found = readIfKeyed(storage, child);
            if (found !== undefined)
              putToken(storage, child.namespace, child.hash, orphaned(record, found));
            forgetChild(storage, place, child);
          }
          if (children.length < CHILDREN_A_STEP) {
            dropToken(storage, place, record);
            this.#ended.add(1);
            return false;
          }
          return true;
        },
        { signal: AbortSignal.timeout(STEP_MS) },
      );
      isLeft = outcome.kind === 'done' && outcome.result;
    }
  }
}

/** A child in a namespace that was deleted is gone with the namespace's key. */
function readIfKeyed(storage: StorageTransaction, place: TokenPlace): TokenRecord | undefined {
  try {
    return readToken(storage, place);
  } catch (error) {
    if (hasCode(error, 'barrier.no-namespace-key')) return undefined;
    throw error;
  }
}

function isDue(record: TokenRecord, nowMs: number): boolean {
  return (
    record.revoked !== undefined ||
    record.usesLeft < 0 ||
    (record.expiresAtMs > 0 && record.expiresAtMs <= nowMs)
  );
}

/** What becomes of a child: it lives on by itself, or ends as its parent did. */
function orphaned(parent: TokenRecord, child: TokenRecord): TokenRecord {
  const { parent: _, ...rest } = child;
  if (parent.revoked === 'leaving-orphans') return { ...rest, depth: 0 };
  return { ...rest, revoked: 'with-children' };
}
