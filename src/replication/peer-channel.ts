import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { internal } from '../wire/index.ts';

const { ForwardRequest, ForwardResponse, FollowRequest, FollowResponse } = internal.internal.v1;

export type ForwardRequestMessage = internal.internal.v1.ForwardRequest.$Properties;
export type ForwardResponseMessage = internal.internal.v1.ForwardResponse.$Properties;
export type FollowRequestMessage = internal.internal.v1.FollowRequest.$Properties;
export type FollowResponseMessage = internal.internal.v1.FollowResponse.$Properties;

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  toObject(message: T, options: typeof plain): object;
}

/** Numbers of 64 bits come as numbers; what was not sent, as its default. */
const plain = { defaults: true, arrays: true, longs: Number } as const;

function duplex<Request extends object, Response extends object>(
  path: string,
  request: Codec<Request>,
  response: Codec<Response>,
): MethodDefinition<Request, Response> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => asBuffer(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.toObject(request.decode(bytes), plain) as Request,
    responseSerialize: (message) => asBuffer(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.toObject(response.decode(bytes), plain) as Response,
  };
}

export const forwardMethod = duplex<ForwardRequestMessage, ForwardResponseMessage>(
  '/strongroom.internal.v1.ForwardService/Forward',
  ForwardRequest,
  ForwardResponse,
);
export const followMethod = duplex<FollowRequestMessage, FollowResponseMessage>(
  '/strongroom.internal.v1.FeedService/Follow',
  FollowRequest,
  FollowResponse,
);

export const forwardService = { forward: forwardMethod } satisfies ServiceDefinition;
export const feedService = { follow: followMethod } satisfies ServiceDefinition;

/** Larger messages are refused by both ends. */
const PEER_MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** Keeps 25 MB a second coming over a way of 160 ms there and back. */
const FLOW_WINDOW_BYTES = 4 * 1024 * 1024;

/** One connection with one stream on it; closing it closes both. */
export function openStream<Request extends object, Response extends object>(
  address: string,
  credentials: ChannelCredentials,
  method: MethodDefinition<Request, Response>,
  options: Readonly<Record<string, string | number>> = {},
): { readonly client: Client; readonly stream: ClientDuplexStream<Request, Response> } {
  const client = new Client(address, credentials, {
    'grpc.max_receive_message_length': PEER_MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': PEER_MESSAGE_BYTES_MAX,
    'grpc.enable_retries': 0,
    // A peer that vanished without a word is noticed well within a client's patience with one node, not
    // after TCP's minutes: what was asked of it is asked elsewhere then. A healthy peer is not lost when
    // its loop, or this one, was busy for a second or two: an answer that has come meanwhile is read
    // only after the timer that waits for it has run.
    'grpc.keepalive_time_ms': 500,
    'grpc.keepalive_timeout_ms': 2500,
    'grpc.keepalive_permit_without_calls': 1,
    // Every stream has a connection of its own, so a new one does not inherit an old one's backoff.
    'grpc.use_local_subchannel_pool': 1,
    // What may be on its way to here: the usual 64 KiB are 400 KB a second between far regions.
    'grpc-node.flow_control_window': FLOW_WINDOW_BYTES,
    ...options,
  });
  const stream = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    new Metadata(),
  );
  return { client, stream };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
