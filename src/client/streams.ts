import { once } from 'node:events';
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type Clock, deferred, type Random, StrongroomError } from '../lib/index.ts';
import { decodeMessage, encodeMessage, methods } from '../wire/index.ts';
import type { Caller } from './caller.ts';
import { abortFailure, failureOfCall, unreachable } from './failures.ts';
import type { Node } from './node.ts';
import { type CallOptions, clientBounds } from './options.ts';
import { asBuffer } from './pipeline-session.ts';

export interface WatchRequest {
  readonly mount: string;
  readonly path: string;
  /** Where to resume; 0: from now on. */
  readonly afterRevision?: number;
}

export interface WatchBatch {
  readonly events: readonly {
    readonly kind: string;
    readonly path: string;
    readonly version: number;
    readonly revision: number;
  }[];
  /** Everything up to here was told: resume after it. */
  readonly revision: number;
}

/** What a watcher may want to hear of the connection. */
export interface WatchOptions {
  /** Told at the first failure: it is tried again until it is well, unless no node ever answered. */
  readonly onInterrupted?: (failure: StrongroomError) => void;
  /** Told when a node answers after that. */
  readonly onResumed?: () => void;
}

const bytesAsTheyAre = (bytes: Buffer) => bytes;

/**
 * Told complete, in order, each once, over as many connections as it takes. Only the first one has to
 * come about within the call's time: whoever has watched goes on waiting.
 */
export async function* watch(
  caller: Caller,
  request: WatchRequest,
  options: CallOptions & WatchOptions,
): AsyncGenerator<WatchBatch> {
  const { clock, random, timeoutMs } = caller.settings;
  const untilMs = clock.monotonicMs() + (options.timeoutMs ?? timeoutMs);
  let afterRevision = request.afterRevision ?? 0;
  let failures = 0;
  let isInterrupted = false;
  let hasHeard = false;
  const isOver = () => options.signal?.aborted === true;
  while (!isOver()) {
    try {
      for await (const batch of watchOnce(caller, { ...request, afterRevision }, options)) {
        if (isInterrupted) options.onResumed?.();
        isInterrupted = false;
        hasHeard = true;
        failures = 0;
        afterRevision = Math.max(afterRevision, batch.revision);
        caller.saw(batch.revision);
        yield batch;
      }
    } catch (error) {
      if (isOver()) return;
      if (!(error instanceof StrongroomError) || error.traits.retry === 'never') throw error;
      if (!hasHeard && clock.monotonicMs() >= untilMs) throw error;
      if (!isInterrupted) options.onInterrupted?.(error);
      isInterrupted = true;
    }
    await pauseAfter(failures, clock, random);
    failures = Math.min(failures + 1, 16);
  }
}

function pauseAfter(failures: number, clock: Clock, random: Random): Promise<void> {
  const ceilingMs = Math.min(clientBounds.backoffMsMax, clientBounds.backoffMsMin * 2 ** failures);
  return new Promise((resolve) => {
    clock.after(random.below(Math.ceil(ceilingMs)) + 1, resolve);
  });
}

async function* watchOnce(
  caller: Caller,
  request: Required<WatchRequest>,
  options: CallOptions,
): AsyncGenerator<WatchBatch> {
  const { path, request: asked, response } = methods['watch.watch'];
  const { node, channel } = await reachableNode(caller, options, true);
  const message = encodeMessage(asked, request);
  try {
    for await (const bytes of serverStream(channel, path, message, caller, options))
      yield decodeMessage(response, bytes);
  } catch (error) {
    caller.nodes.failed(node);
    throw failureFrom(error);
  }
  caller.nodes.failed(node);
}

/** It is not resumed: half a snapshot is worthless. */
export async function* saveSnapshot(
  caller: Caller,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  const { path, request, response } = methods['cluster.saveSnapshot'];
  const { channel } = await reachableNode(caller, options, false);
  const message = encodeMessage(request, {});
  try {
    for await (const bytes of serverStream(channel, path, message, caller, options))
      yield decodeMessage(response, bytes).data;
  } catch (error) {
    throw options.signal?.aborted === true ? abortFailure(options.signal) : failureFrom(error);
  }
}

/** How a snapshot is restored. */
export interface RestoreOptions {
  /** It may be of another cluster, whose seal opens through the leader's slots of the same names. */
  readonly foreign?: boolean;
  /** Of that cluster's shamir slot, when no other slot of it opens there. */
  readonly shares?: readonly string[];
  /** Tokens that ended since the snapshot was taken come to life again. */
  readonly reviveTokens?: boolean;
}

/**
 * Sends a snapshot for the cluster to take over, no faster than the node writes it.
 *
 * @returns the revision after it.
 */
export async function restoreSnapshot(
  caller: Caller,
  chunks: AsyncIterable<Uint8Array>,
  options: CallOptions & RestoreOptions,
): Promise<number> {
  const { path, request, response } = methods['cluster.restoreSnapshot'];
  const { channel } = await reachableNode(caller, options, false);
  const { call, answer, answered } = openUpload(channel, path, metadataOf(caller, options));
  const stopListening = cancelOn(options.signal, call);
  try {
    let asked: RestoreOptions = options;
    for await (const data of chunks) {
      if (answered.aborted) break;
      const { foreign = false, shares = [], reviveTokens = false } = asked;
      asked = {};
      const chunk = { data, foreign, shares: [...shares], reviveTokens };
      if (!call.write(asBuffer(encodeMessage(request, chunk))))
        await once(call, 'drain', { signal: answered }).catch(() => {});
    }
    call.end();
    return decodeMessage(response, await answer).revision;
  } catch (error) {
    call.cancel();
    throw options.signal?.aborted === true ? abortFailure(options.signal) : error;
  } finally {
    stopListening();
  }
}

/** `answered` fires with the answer: the node may refuse before all was sent. */
function openUpload(channel: Client, path: string, metadata: Metadata) {
  const answered = new AbortController();
  const { promise, resolve, reject } = deferred<Buffer>();
  promise.catch(() => {});
  const call = channel.makeClientStreamRequest<Buffer, Buffer>(
    path,
    bytesAsTheyAre,
    bytesAsTheyAre,
    metadata,
    (error, bytes) => {
      answered.abort();
      if (bytes === undefined) reject(failureFrom(error));
      else resolve(bytes);
    },
  );
  return { call, answer: promise, answered: answered.signal };
}

async function* serverStream(
  channel: Client,
  path: string,
  message: Uint8Array,
  caller: Caller,
  options: CallOptions,
): AsyncGenerator<Buffer> {
  const call = channel.makeServerStreamRequest<Buffer, Buffer>(
    path,
    bytesAsTheyAre,
    bytesAsTheyAre,
    asBuffer(message),
    metadataOf(caller, options),
  );
  const stopListening = cancelOn(options.signal, call);
  // A call that was cancelled ends with an error when nobody iterates any more.
  call.on('error', () => {});
  try {
    // Iterating holds the node back when the reader is slow.
    for await (const bytes of call) yield bytes as Buffer;
  } finally {
    stopListening();
    call.cancel();
  }
}

/** The first node, in order, that a connection to is or comes up. */
async function reachableNode(
  caller: Caller,
  options: CallOptions,
  isStaleFine: boolean,
): Promise<{ readonly node: Node; readonly channel: Client }> {
  if (options.signal?.aborted === true) throw abortFailure(options.signal);
  const { address } = options;
  const nodes =
    address === undefined ? caller.nodes.inOrder(isStaleFine) : [caller.nodes.at(address)];
  let last: unknown = unreachable('no node is known', { isSent: false });
  for (const node of nodes) {
    try {
      return { node, channel: await node.channel() };
    } catch (error) {
      caller.nodes.failed(node);
      last = error;
    }
  }
  throw last;
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
}

function failureFrom(error: unknown): StrongroomError {
  return error instanceof StrongroomError ? error : failureOfCall(error as ServiceError);
}

function metadataOf({ settings }: Caller, options: CallOptions): Metadata {
  const metadata = new Metadata();
  const token = options.token ?? settings.token;
  const namespace = options.namespace ?? settings.namespace;
  if (token !== undefined) metadata.set('x-strongroom-token', token);
  if (namespace !== undefined) metadata.set('x-strongroom-namespace', namespace);
  if (options.correlationId !== undefined)
    metadata.set('x-strongroom-correlation-id', options.correlationId);
  return metadata;
}
