import { once } from 'node:events';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { asAbortSignal, type Cancellation } from '../../lib/index.ts';
import { type CallRunner, stopping } from './call-runner.ts';
import { CallScope } from './call-scope.ts';
import { type Caller, callerFrom } from './caller.ts';
import { asFailure, errorStatus } from './error-status.ts';
import { asBuffer } from './unary.ts';

/** Who asked for a stream; the signal fires when it is wanted no more. */
export type StreamCaller = Caller & { readonly signal: Cancellation };

/**
 * Sends what `produce` yields, no faster than the caller reads, and ends with its failure if it has
 * one. `scopes` holds the open streams, so that a stopping node can end them.
 */
export async function sendStream(
  runner: CallRunner,
  scopes: Set<CallScope>,
  call: ServerWritableStream<Buffer, Buffer>,
  produce: (caller: StreamCaller) => AsyncIterable<Uint8Array>,
): Promise<void> {
  const { clock, log, bounds, random } = runner.parts;
  // No time limit of its own: gRPC itself ends the call at the deadline, if the caller set one.
  using scope = new CallScope(clock, undefined);
  call.on('cancelled', () => scope.cancel());
  let close: (() => void) | undefined;
  let correlationId = '';
  try {
    close = runner.openStream();
    scopes.add(scope);
    const caller = callerFrom(call.metadata, call.getPeer(), bounds, random);
    correlationId = caller.correlationId;
    const signal = asAbortSignal(scope.signal);
    for await (const message of produce({ ...caller, signal: scope.signal })) {
      scope.signal.throwIfAborted();
      if (!call.write(asBuffer(message))) await once(call, 'drain', { signal });
    }
    // A producer that ends because its signal fired has not told everything.
    scope.signal.throwIfAborted();
    call.end();
  } catch (error) {
    const reason: unknown = scope.signal.aborted ? scope.signal.reason : error;
    call.emit('error', errorStatus(asFailure(reason, log, correlationId)));
  } finally {
    scopes.delete(scope);
    close?.();
  }
}

/** Ends every open stream: its caller goes to another node. */
export function endStreams(scopes: ReadonlySet<CallScope>): void {
  for (const scope of scopes) scope.end(stopping());
}
