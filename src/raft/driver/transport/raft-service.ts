import type { ChannelOptions, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import {
  decodeMessage,
  encodeMessage,
  type Input,
  internal,
  type MessageType,
} from '../../../wire/index.ts';

interface Hello {
  readonly clusterId: string;
  readonly from: number;
  readonly to: number;
  readonly incarnation: number;
  readonly protocolVersion: number;
}

/** The first carries the greeting alone; then frames of messages. */
export interface ExchangeRequest {
  readonly hello?: Hello;
  readonly groupId: number;
  readonly messages: Uint8Array;
}

export interface ExchangeResponse {
  readonly accepted: boolean;
}

/** The first carries greeting, group and message; then chunks; then the end. */
export interface InstallSnapshotRequest {
  readonly hello?: Hello;
  readonly groupId: number;
  readonly message: Uint8Array;
  readonly chunk: Uint8Array;
  readonly end: boolean;
}

export interface InstallSnapshotResponse {
  readonly installed: boolean;
}

/** What is written may leave out what has its default. */
type Method<Request, Response> = MethodDefinition<Request, Response>;

function method<Request, Response>(
  name: string,
  request: MessageType<Request>,
  response: MessageType<Response>,
): Method<Request, Response> {
  const encode =
    <T>(type: MessageType<T>) =>
    (message: T) => {
      const bytes = encodeMessage(type, message as Input<NoInfer<T>>);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    };
  return {
    path: `/strongroom.internal.v1.RaftService/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: encode(request),
    requestDeserialize: (bytes) => decodeMessage(request, bytes),
    responseSerialize: encode(response),
    responseDeserialize: (bytes) => decodeMessage(response, bytes),
  };
}

const { v1 } = internal.internal;
// The generated classes hold 64-bit numbers as protobufjs likes; the codec makes them numbers.
const typed = <Shape>(type: unknown): MessageType<Shape> => type as MessageType<Shape>;

export const raftService = {
  exchange: method<ExchangeRequest, ExchangeResponse>(
    'Exchange',
    typed<ExchangeRequest>(v1.ExchangeRequest),
    typed<ExchangeResponse>(v1.ExchangeResponse),
  ),
  installSnapshot: method<InstallSnapshotRequest, InstallSnapshotResponse>(
    'InstallSnapshot',
    typed<InstallSnapshotRequest>(v1.InstallSnapshotRequest),
    typed<InstallSnapshotResponse>(v1.InstallSnapshotResponse),
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
