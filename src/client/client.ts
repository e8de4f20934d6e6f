import { randomBytes, randomUUID } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { StrongroomError } from '../lib/index.ts';
import {
  anyMethods,
  decodeMessage,
  encodeMessage,
  type messages,
  type Payload,
} from '../wire/index.ts';
import { parseAddress } from './address.ts';
import { type KvFacade, kvFacade } from './facade.ts';
import { type CallOptions, type ClientOptions, type Consistency, TIMEOUT_MS } from './options.ts';
import { abortFailure } from './pipeline-link.ts';
import { Routes } from './routes.ts';
import { restoreSnapshot, saveSnapshot, type WatchBatch, watch } from './streams.ts';

const ATTEMPT_MS = 5_000;
const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 500;

/** A connection to a cluster, through whichever of its nodes can be reached. */
export interface StrongroomClient extends AsyncDisposable {
  /**
   * Runs an operation, such as `kv.put`, with its request message as a plain object. Asks other
   * nodes, and again, as long as that is safe and time is left: every write carries a request id, so
   * that one which was made already is not made twice. Reads after writes of this client see them.
   *
   * @throws StrongroomError the node's failure, or `client.unreachable`, `request.deadline-exceeded`
   */
  call(operation: string, payload: Payload, options?: CallOptions): Promise<Payload>;
  /** Changes below a path, resumed after a broken connection without loss. */
  watch(
    request: { readonly mount: string; readonly path: string; readonly afterRevision?: number },
    options?: CallOptions,
  ): AsyncIterable<WatchBatch>;
  /** A snapshot of the cluster, as the bytes of a file. */
  saveSnapshot(options?: CallOptions): AsyncIterable<Uint8Array>;
  /** @returns the revision after it. */
  restoreSnapshot(bytes: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<number>;
  readonly kv: KvFacade;
  /** The last revision that this client has seen made. */
  readonly revision: number;
  close(): Promise<void>;
}

/** Makes a client. Nothing is connected before the first call. */
export function connect(options: ClientOptions): Promise<StrongroomClient> {
  if (options.addresses.length === 0) {
    return Promise.reject(new StrongroomError('request.invalid', 'Name at least one address'));
  }
  return Promise.resolve().then(() => new Session(options));
}

class Session implements StrongroomClient {
  readonly kv: KvFacade = kvFacade(this);
  readonly #options: ClientOptions;
  readonly #routes: Routes;
  #revision = 0;
  #learning: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#routes = new Routes(options.addresses, options.region, () => credentialsOf(options));
  }

  get revision(): number {
    return this.#revision;
  }

  async call(operation: string, payload: Payload, options: CallOptions = {}): Promise<Payload> {
    const method = anyMethods.get(operation);
    if (method === undefined || method.kind !== 'unary') {
      throw new StrongroomError(
        'request.unknown-operation',
        `There is no operation "${operation}"`,
      );
    }
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS;
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
    const deadline = performance.now() + timeoutMs;
    const request = encodeMessage(method.request, payload);
    const shared = {
      operation,
      request,
      token: options.token ?? this.#options.token,
      namespace: options.namespace ?? this.#options.namespace,
      consistency: wireConsistency(options.consistency, this.#revision),
      requestId: options.requestId ?? new Uint8Array(randomBytes(16)),
      correlationId: options.correlationId ?? randomUUID(),
    };
    const bytes = await this.#anywhere(mayBeStale(options.consistency), signal, (target) => {
      // One node that hangs must not use up the time that another needs.
      const leftMs = Math.max(1, Math.round(deadline - performance.now()));
      const attempt = AbortSignal.any([signal, AbortSignal.timeout(Math.min(ATTEMPT_MS, leftMs))]);
      const link = this.#routes.link(target);
      return link.send({ ...shared, deadlineMs: leftMs, signal: attempt });
    });
    const answer = decodeMessage(method.response, bytes);
    const revision = answer['revision'];
    if (typeof revision === 'number') this.#revision = Math.max(this.#revision, revision);
    if (operation === 'cluster.status') {
      this.#routes.learn(answer['members'] as readonly Readonly<Record<string, unknown>>[]);
    }
    return answer;
  }

  watch(
    request: { readonly mount: string; readonly path: string; readonly afterRevision?: number },
    options: CallOptions = {},
  ): AsyncIterable<WatchBatch> {
    return watch(this.#routes, request, this.#streamOptions(options));
  }

  saveSnapshot(options: CallOptions = {}): AsyncIterable<Uint8Array> {
    return saveSnapshot(this.#routes, this.#streamOptions(options));
  }

  async restoreSnapshot(
    bytes: AsyncIterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<number> {
    // Only the leader takes it, and the bytes can be sent but once.
    await this.call('cluster.status', {}, options);
    return restoreSnapshot(this.#routes, bytes, this.#streamOptions(options));
  }

  async close(): Promise<void> {
    this.#routes.close();
    await this.#learning;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #streamOptions(options: CallOptions) {
    return {
      token: options.token ?? this.#options.token,
      namespace: options.namespace ?? this.#options.namespace,
      signal: options.signal ?? new AbortController().signal,
    };
  }

  /** Tries node after node, and all again after a pause, while that is safe and time is left. */
  async #anywhere<T>(
    isStaleFine: boolean,
    signal: AbortSignal,
    ask: (target: string) => Promise<T>,
  ): Promise<T> {
    let pauseMs = BACKOFF_FIRST_MS;
    let last: unknown;
    for (;;) {
      for (const target of this.#routes.order(isStaleFine)) {
        if (signal.aborted) throw last ?? abortFailure(signal);
        const link = this.#routes.link(target);
        try {
          const answer = await ask(target);
          this.#routes.worked(link);
          return answer;
        } catch (error) {
          if (!(error instanceof StrongroomError)) throw error;
          // The time of this attempt is over, not that of the call.
          const isLate = error.code === 'request.deadline-exceeded' && !signal.aborted;
          if (!isLate && error.traits.retry === 'never') throw error;
          last = error;
          this.#routes.failed(link);
        }
      }
      this.#learnSoon();
      await pause(pauseMs * (0.5 + Math.random()), signal);
      pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
    }
  }

  /** Asks who is there now; the calls that failed do not wait for it. */
  #learnSoon(): void {
    if (this.#learning !== undefined || this.#options.token === undefined) return;
    this.#learning = this.#learn().finally(() => {
      this.#learning = undefined;
    });
  }

  async #learn(): Promise<void> {
    const method = anyMethods.get('cluster.status');
    if (method === undefined) return;
    for (const target of this.#routes.order(false)) {
      try {
        const bytes = await this.#routes.link(target).send({
          operation: 'cluster.status',
          request: encodeMessage(method.request, {}),
          token: this.#options.token,
          namespace: '',
          consistency: { eventual: true } as messages.Consistency,
          requestId: new Uint8Array(0),
          deadlineMs: ATTEMPT_MS,
          correlationId: '',
          signal: AbortSignal.timeout(ATTEMPT_MS),
        });
        const members = decodeMessage(method.response, bytes)['members'];
        this.#routes.learn(members as readonly Readonly<Record<string, unknown>>[]);
        return;
      } catch {
        // That one does not know either; it was only a hint.
      }
    }
  }
}

function credentialsOf(options: ClientOptions): ChannelCredentials {
  const isPlain =
    options.insecurePlaintext === true ||
    options.addresses.some((address) => parseAddress(address).scheme === 'http');
  if (isPlain) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createFromSecureContext(
    createSecureContext({
      minVersion: 'TLSv1.3',
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    }),
  );
}

function mayBeStale(consistency: Consistency | undefined): boolean {
  return consistency !== undefined && consistency.kind !== 'linearizable';
}

/** A read that may be stale still sees what this client itself has written. */
function wireConsistency(
  wanted: Consistency | undefined,
  seen: number,
): messages.Consistency | undefined {
  const level = (() => {
    switch (wanted?.kind) {
      case undefined:
        return undefined;
      case 'linearizable':
        return { linearizable: true };
      case 'at-least':
        return { atLeastRevision: wanted.revision };
      case 'bounded':
        return { boundedStalenessMs: wanted.stalenessMs };
      case 'eventual':
        return seen > 0 ? { atLeastRevision: seen } : { eventual: true };
    }
  })();
  return level as messages.Consistency | undefined;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
