import type { handleUnaryCall, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { AnyMethod } from '../../wire/index.ts';
import type { CallRunner } from './call-runner.ts';
import { CallScope, timeoutOf } from './call-scope.ts';
import { callerFrom } from './caller.ts';
import { asFailure, errorStatus } from './error-status.ts';

/** The gRPC handler of one unary operation. Messages stay bytes here: the runner decodes them. */
export function unaryHandler(
  method: AnyMethod,
  runner: CallRunner,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => void answer(method, runner, call, callback);
}

async function answer(
  method: AnyMethod,
  runner: CallRunner,
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
): Promise<void> {
  const { clock, bounds, random, log } = runner.parts;
  using scope = new CallScope(clock, timeoutOf(call.getDeadline(), clock, bounds));
  call.on('cancelled', () => scope.cancel());
  try {
    const caller = callerFrom(call.metadata, call.getPeer(), bounds, random);
    callback(null, asBuffer(await runner.run(method, call.request, caller, scope)));
  } catch (error) {
    callback(errorStatus(asFailure(error, log, '')));
  }
}

/** The same bytes: protobufjs writes Buffers on Node, gRPC wants nothing else. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
