import type { handleServerStreamingCall } from '@grpc/grpc-js';
import { StrongroomError } from '../../lib/index.ts';
import { encodeMessage, methods } from '../../wire/index.ts';
import { type CallRunner, decodeRequest } from './call-runner.ts';
import type { CallScope } from './call-scope.ts';
import { type StreamCaller, sendStream } from './send-stream.ts';

const method = methods['watch.watch'];

/** WatchService/Watch: runs until the caller goes away, or the node stops (`scopes`). */
export function watchHandler(
  runner: CallRunner,
  scopes: Set<CallScope>,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) =>
    void sendStream(runner, scopes, call, (caller) => events(runner, call.request, caller));
}

async function* events(
  runner: CallRunner,
  bytes: Uint8Array,
  caller: StreamCaller,
): AsyncGenerator<Uint8Array> {
  const request = decodeRequest(method, bytes);
  if (!Number.isSafeInteger(request.afterRevision))
    throw new StrongroomError('request.invalid', 'afterRevision is not a number below 2^53');
  const { requestId: _, ...context } = caller;
  for await (const change of runner.parts.vault.watch({ ...context, ...request }))
    yield encodeMessage(method.response, change);
}
