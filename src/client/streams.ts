import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { StrongroomError } from '../lib/index.ts';
import { decodeMessage, encodeMessage, methods } from '../wire/index.ts';
import { failureOfCall } from './failures.ts';
import type { Routes } from './routes.ts';

const RETRY_MS = 200;

export interface StreamOptions {
  readonly token: string | undefined;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
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

/** Told complete, in order, each once, over as many connections as it takes. */
export async function* watch(
  routes: Routes,
  request: { readonly mount: string; readonly path: string; readonly afterRevision?: number },
  options: StreamOptions,
): AsyncGenerator<WatchBatch> {
  const { path, request: asked, response } = methods['watch.watch'];
  let after = request.afterRevision ?? 0;
  for (let attempt = 0; !options.signal.aborted; attempt++) {
    const targets = routes.order(false);
    const target = targets[attempt % targets.length] ?? '';
    const bytes = encodeMessage(asked, {
      mount: request.mount,
      path: request.path,
      afterRevision: after,
    });
    try {
      for await (const message of serverStream(routes, target, path, bytes, options)) {
        const { events, revision } = decodeMessage(response, message);
        if (revision > after) after = revision;
        yield { events, revision };
      }
    } catch (error) {
      if (options.signal.aborted) return;
      const failure =
        error instanceof StrongroomError ? error : failureOfCall(error as ServiceError);
      if (failure.traits.retry === 'never') throw failure;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS);
    });
  }
}

export async function* saveSnapshot(
  routes: Routes,
  options: StreamOptions,
): AsyncGenerator<Uint8Array> {
  const { path, request, response } = methods['cluster.saveSnapshot'];
  const [target = ''] = routes.order(false);
  try {
    for await (const message of serverStream(
      routes,
      target,
      path,
      encodeMessage(request, {}),
      options,
    )) {
      yield decodeMessage(response, message).data;
    }
  } catch (error) {
    throw error instanceof StrongroomError ? error : failureOfCall(error as ServiceError);
  }
}

export function restoreSnapshot(
  routes: Routes,
  chunks: AsyncIterable<Uint8Array>,
  options: StreamOptions,
): Promise<number> {
  const { path, request, response } = methods['cluster.restoreSnapshot'];
  const [target = ''] = routes.order(false);
  return new Promise((resolve, reject) => {
    const call = routes.link(target).client.makeClientStreamRequest(
      path,
      (data: Uint8Array) => Buffer.from(encodeMessage(request, { data })),
      (bytes: Buffer) => decodeMessage(response, bytes).revision,
      metadataOf(options),
      (error, revision) => {
        if (error !== null) reject(failureOfCall(error));
        else resolve(revision ?? 0);
      },
    );
    const send = async () => {
      for await (const chunk of chunks) {
        if (!call.write(chunk)) await new Promise((drained) => call.once('drain', drained));
      }
      call.end();
    };
    send().catch((error: unknown) => {
      call.cancel();
      reject(error);
    });
  });
}

function serverStream(
  routes: Routes,
  target: string,
  path: string,
  request: Uint8Array,
  options: StreamOptions,
): AsyncIterable<Uint8Array> {
  const call = routes.link(target).client.makeServerStreamRequest(
    path,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => bytes as Uint8Array,
    request,
    metadataOf(options),
  );
  const cancel = () => call.cancel();
  options.signal.addEventListener('abort', cancel, { once: true });
  call.once('close', () => options.signal.removeEventListener('abort', cancel));
  return call as AsyncIterable<Uint8Array>;
}

function metadataOf(options: StreamOptions): Metadata {
  const metadata = new Metadata();
  if (options.token !== undefined) metadata.set('x-strongroom-token', options.token);
  if (options.namespace !== undefined) metadata.set('x-strongroom-namespace', options.namespace);
  return metadata;
}
