import { type Cancellation, StrongroomError, unreachable } from '../lib/index.ts';
import type { Revision, Transaction, TransactionResult } from '../store/index.ts';
import type { StorageTransaction } from './storage/storage.ts';
import type { StoragePort } from './storage-port.ts';

/** Conflicts are rare, since writes of one record wait for each other; so this is not met. */
export const ATTEMPTS_MAX = 16;

export interface RunOptions<T> {
  readonly signal: Cancellation;
  readonly requestId?: Uint8Array | undefined;
  /** What a retry with this request id is to get. */
  readonly receipt?: ((result: T) => Uint8Array) | undefined;
}

export type RunOutcome<T> =
  | { readonly kind: 'done'; readonly result: T; readonly revision: number }
  /** An earlier transaction with this request id was the one that counted. */
  | {
      readonly kind: 'replayed';
      readonly revision: number;
      readonly receipt: Uint8Array | undefined;
    };

/** Runs work as one transaction of the store: again when what it had read was changed meanwhile. */
export class TransactionRunner {
  readonly #storage: StoragePort;
  readonly #commit: (tx: Transaction, signal: Cancellation) => Promise<TransactionResult>;

  constructor(
    storage: StoragePort,
    commit: (tx: Transaction, signal: Cancellation) => Promise<TransactionResult>,
  ) {
    this.#storage = storage;
    this.#commit = commit;
  }

  /**
   * @throws StrongroomError `store.conflict` after `ATTEMPTS_MAX`, what `work` throws, and what
   * proposing throws.
   */
  async run<T>(
    work: (storage: StorageTransaction) => T | Promise<T>,
    options: RunOptions<T>,
  ): Promise<RunOutcome<T>> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      throwIfAborted(options.signal);
      const { result, transaction, readAt } = await this.#prepare(work, options);
      if (transaction.writes.length === 0 && transaction.requestId === undefined) {
        return { kind: 'done', result, revision: readAt };
      }
      const outcome = await this.#commit(transaction, options.signal);
      switch (outcome.kind) {
        case 'committed':
          return outcome.replayed
            ? { kind: 'replayed', revision: outcome.revision, receipt: outcome.receipt }
            : { kind: 'done', result, revision: outcome.revision };
        case 'conflict':
          break;
        default:
          return unreachable(outcome);
      }
    }
    throw new StrongroomError(
      'store.conflict',
      `Cannot commit: what the request reads was changed ${ATTEMPTS_MAX} times meanwhile, retry later`,
    );
  }

  /** The view is closed before the proposal waits: it holds old data. */
  async #prepare<T>(
    work: (storage: StorageTransaction) => T | Promise<T>,
    options: RunOptions<T>,
  ): Promise<{ result: T; transaction: Transaction; readAt: Revision }> {
    using storage = this.#storage.transaction();
    const pending = work(storage);
    const result = pending instanceof Promise ? await pending : pending;
    const receipt = options.receipt?.(result);
    return {
      result,
      readAt: storage.revision,
      transaction: storage.toTransaction(options.requestId, receipt),
    };
  }
}

/** @throws StrongroomError `request.cancelled`, `request.deadline-exceeded` */
export function throwIfAborted(signal: Cancellation): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof StrongroomError) throw signal.reason;
  const late = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
  throw new StrongroomError(
    late ? 'request.deadline-exceeded' : 'request.cancelled',
    late ? 'Stopped: time ran out' : 'Stopped: the caller called it off',
  );
}
