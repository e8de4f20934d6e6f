import type { ChannelOptions, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { internal } from '../../../wire/index.ts';

type Wire = typeof internal.internal.v1;
export type ExchangeRequest = Wire['ExchangeRequest']['prototype'];
export type ExchangeResponse = Wire['ExchangeResponse']['prototype'];
export type InstallSnapshotRequest = Wire['InstallSnapshotRequest']['prototype'];
export type InstallSnapshotResponse = Wire['InstallSnapshotResponse']['prototype'];

interface Codec<T> {
  encode(message: never): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function method<Request, Response>(
  name: string,
  request: Codec<Request>,
  response: Codec<Response>,
): MethodDefinition<Request, Response> {
  const serialize = (codec: Codec<unknown>) => (message: unknown) => {
    const bytes = codec.encode(message as never).finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  return {
    path: `/strongroom.internal.v1.RaftService/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: serialize(request),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: serialize(response),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

const { v1 } = internal.internal;

export const raftService = {
  exchange: method<ExchangeRequest, ExchangeResponse>(
    'Exchange',
    v1.ExchangeRequest,
    v1.ExchangeResponse,
  ),
  installSnapshot: method<InstallSnapshotRequest, InstallSnapshotResponse>(
    'InstallSnapshot',
    v1.InstallSnapshotRequest,
    v1.InstallSnapshotResponse,
  ),
} satisfies ServiceDefinition;

/** A frame holds whole messages; only one that is larger alone is more than this. */
export const FRAME_BYTES_MAX = 1024 * 1024;
/** What is accepted from a peer at once. */
export const PEER_MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

export const peerChannelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': PEER_MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': -1,
  // A retry buffer would hold every message ever sent on a long stream (grpc-node #2371).
  'grpc.enable_retries': 0,
  // Each class of traffic has a connection of its own: no window is shared.
  'grpc.use_local_subchannel_pool': 1,
  // A half-open connection is found out by pings, not by TCP after a quarter of an hour.
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 400,
};
