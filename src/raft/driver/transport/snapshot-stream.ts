import { once } from 'node:events';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type Cancellation, deferred } from '../../../lib/index.ts';
import type { InstallSnapshotRequest, InstallSnapshotResponse } from './raft-service.ts';

type SnapshotCall = ClientDuplexStream<InstallSnapshotRequest, InstallSnapshotResponse>;

/**
 * Sends one snapshot, no faster than the peer takes it.
 *
 * @throws Error when the peer refused it or the stream broke: the receiver's state is as before.
 */
export async function sendSnapshotStream(
  call: SnapshotCall,
  first: InstallSnapshotRequest,
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly signal: Cancellation; readonly isPeer: () => boolean },
): Promise<void> {
  const { signal, isPeer } = options;
  const installed = deferred<void>();
  // Also noticed while chunks are still being sent.
  const ending = new AbortController();
  const fail = (error: Error) => {
    installed.reject(error);
    ending.abort(error);
  };
  installed.promise.catch(() => {
    // Read below; a failure before that must not count as forgotten.
  });
  call.on('data', (response: InstallSnapshotResponse) => {
    if (!isPeer()) fail(new Error('The peer that took the snapshot is not the one it was for'));
    else if (response.installed) installed.resolve();
  });
  call.on('error', fail);
  call.on('end', () => fail(new Error('The peer closed the stream before it had the snapshot')));
  const onAbort = () => fail(new Error('Sending the snapshot was called off'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const write = async (request: Partial<InstallSnapshotRequest>) => {
    ending.signal.throwIfAborted();
    if (call.write(request as InstallSnapshotRequest)) return;
    await once(call, 'drain', { signal: ending.signal });
  };
  try {
    await write(first);
    for await (const chunk of chunks) await write({ chunk });
    await write({ end: true });
    call.end();
    await installed.promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    call.cancel();
  }
}

/** The chunks after the first request, up to the one that says it is the end. */
export async function* snapshotChunks(
  requests: AsyncIterator<InstallSnapshotRequest>,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await requests.next();
    if (next.done === true) {
      throw new Error('The snapshot stream stopped before its end');
    }
    if (next.value.chunk.length > 0) yield next.value.chunk;
    if (next.value.end) return;
  }
}
