import { hasCode, StrongroomError } from '../lib/index.ts';
import { Caller } from './caller.ts';
import { type KvFacade, kvFacade } from './facade.ts';
import type { RequestOf, ResponseOf } from './operations.ts';
import { type CallOptions, type ClientOptions, settingsFrom } from './options.ts';
import {
  type RestoreOptions,
  restoreSnapshot,
  saveSnapshot,
  type WatchBatch,
  type WatchOptions,
  type WatchRequest,
  watch,
} from './streams.ts';

/** A connection to a cluster, through whichever of its nodes can be reached. */
export interface StrongroomClient extends AsyncDisposable {
  /**
   * Runs an operation, such as `kv.put`, with its request message as a plain object. Asks other
   * nodes, and again, as long as that is safe and time is left: every write carries a request id, so
   * that one which was made already is not made twice. Reads after writes of this client see them.
   *
   * @throws StrongroomError the node's failure, or `client.unreachable`, `request.deadline-exceeded`
   */
  call<Name extends string>(
    operation: Name,
    request: RequestOf<Name>,
    options?: CallOptions,
  ): Promise<ResponseOf<Name>>;
  /**
   * Changes below a path, resumed after a broken connection without loss. Ends with the signal.
   *
   * @throws StrongroomError the node's failure; or the last one, when no node at all has begun to
   *   tell within the call's time.
   */
  watch(request: WatchRequest, options?: CallOptions & WatchOptions): AsyncIterable<WatchBatch>;
  /** A snapshot of the cluster, as the bytes of a file. */
  saveSnapshot(options?: CallOptions): AsyncIterable<Uint8Array>;
  /** @returns the revision after it. */
  restoreSnapshot(
    bytes: AsyncIterable<Uint8Array>,
    options?: CallOptions & RestoreOptions,
  ): Promise<number>;
  readonly kv: KvFacade;
  /** The last revision that this client has seen made. */
  readonly revision: number;
  close(): Promise<void>;
}

/**
 * Makes a client. Nothing is connected before the first call.
 *
 * @throws StrongroomError `request.invalid` for an address that is none.
 */
export function connect(options: ClientOptions): Promise<StrongroomClient> {
  if (options.addresses.length === 0)
    return Promise.reject(new StrongroomError('request.invalid', 'Name at least one address'));
  return Promise.resolve().then(
    () => new Session(new Caller(options.addresses, settingsFrom(options))),
  );
}

class Session implements StrongroomClient {
  readonly kv: KvFacade = kvFacade(this);
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  get revision(): number {
    return this.#caller.seen;
  }

  call<Name extends string>(
    operation: Name,
    request: RequestOf<Name>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Name>> {
    // Types and table of the operations come from the same protocol files.
    return this.#caller.call(operation, request, options) as Promise<ResponseOf<Name>>;
  }

  watch(
    request: WatchRequest,
    options: CallOptions & WatchOptions = {},
  ): AsyncIterable<WatchBatch> {
    return watch(this.#caller, request, options);
  }

  saveSnapshot(options: CallOptions = {}): AsyncIterable<Uint8Array> {
    return saveSnapshot(this.#caller, options);
  }

  async restoreSnapshot(
    bytes: AsyncIterable<Uint8Array>,
    options: CallOptions & RestoreOptions = {},
  ): Promise<number> {
    // Only the leader takes it, and the bytes can be sent but once.
    await this.call('cluster.status', {}, options).catch((error: unknown) => {
      // A restore that was cut short is run again: until then nothing else is answered.
      if (!hasCode(error, 'cluster.restoring')) throw error;
    });
    return restoreSnapshot(this.#caller, bytes, options);
  }

  close(): Promise<void> {
    return this.#caller.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
