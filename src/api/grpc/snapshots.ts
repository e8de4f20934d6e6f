import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  ServerReadableStream,
  sendUnaryData,
} from '@grpc/grpc-js';
import { StrongroomError } from '../../lib/index.ts';
import { decodeStrictly, encodeMessage, methods, WireFormatError } from '../../wire/index.ts';
import { type CallRunner, decodeRequest } from './call-runner.ts';
import { CallScope } from './call-scope.ts';
import { callerFrom } from './caller.ts';
import { asFailure, errorStatus } from './error-status.ts';
import { type StreamCaller, sendStream } from './send-stream.ts';
import { asBuffer } from './unary.ts';

/** Snapshots are larger than a message: they stream past the operation table. The port authorises. */
export interface SnapshotPort {
  /** A snapshot of the whole state, sealed as it is on disk, in chunks of at most 1 MiB. */
  save(caller: StreamCaller): AsyncIterable<Uint8Array>;
  /** @returns the revision of the restored state. */
  restore(
    caller: StreamCaller,
    chunks: AsyncIterable<Uint8Array>,
    options: RestoreOptions,
  ): Promise<number>;
}

export interface RestoreOptions {
  /** It may be of another cluster. */
  readonly foreign: boolean;
  /** Of that cluster's shamir slot, when no other slot of it opens here. */
  readonly shares: readonly string[];
  /** Tokens that ended since the snapshot was taken come to life again. */
  readonly reviveTokens: boolean;
}

const save = methods['cluster.saveSnapshot'];
const restore = methods['cluster.restoreSnapshot'];

export function saveSnapshotHandler(
  runner: CallRunner,
  port: SnapshotPort,
  scopes: Set<CallScope>,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) =>
    void sendStream(runner, scopes, call, async function* chunks(caller) {
      decodeRequest(save, call.request);
      for await (const data of port.save(caller)) yield encodeMessage(save.response, { data });
    });
}

export function restoreSnapshotHandler(
  runner: CallRunner,
  port: SnapshotPort,
  scopes: Set<CallScope>,
): handleClientStreamingCall<Buffer, Buffer> {
  const answer = async (
    call: ServerReadableStream<Buffer, Buffer>,
    callback: sendUnaryData<Buffer>,
  ): Promise<void> => {
    const { bounds, clock, random, log } = runner.parts;
    using scope = new CallScope(clock, undefined);
    call.on('cancelled', () => scope.cancel());
    let close: (() => void) | undefined;
    try {
      close = runner.openStream();
      scopes.add(scope);
      const caller = callerFrom(call.metadata, call.getPeer(), bounds, random);
      const messages = messagesOf(call);
      const first = await messages.next();
      const {
        foreign = false,
        shares = [],
        reviveTokens = false,
      } = first.done === true ? {} : first.value;
      const revision = await port.restore(
        { ...caller, signal: scope.signal },
        chunksOf(first.done === true ? undefined : first.value.data, messages),
        { foreign, shares, reviveTokens },
      );
      callback(null, asBuffer(encodeMessage(restore.response, { revision })));
    } catch (error) {
      const reason: unknown = scope.signal.aborted ? scope.signal.reason : error;
      callback(errorStatus(asFailure(reason, log, '')));
    } finally {
      scopes.delete(scope);
      close?.();
    }
  };
  return (call, callback) => void answer(call, callback);
}

async function* chunksOf(
  first: Uint8Array | undefined,
  rest: AsyncIterable<{ readonly data: Uint8Array }>,
): AsyncGenerator<Uint8Array> {
  if (first !== undefined) yield first;
  for await (const { data } of rest) yield data;
}

/** Iterating holds the caller back when the disk is slower than the network. */
async function* messagesOf(messages: AsyncIterable<Buffer>) {
  for await (const message of messages) {
    try {
      yield decodeStrictly(restore.request, message);
    } catch (cause) {
      if (!(cause instanceof WireFormatError)) throw cause;
      throw new StrongroomError(
        'request.invalid',
        `A chunk of the snapshot cannot be read: ${cause.message}`,
        { cause },
      );
    }
  }
}
