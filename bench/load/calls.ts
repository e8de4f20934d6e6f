import protobuf from 'protobufjs/minimal.js';
import { framed } from './grpc-frames.ts';

/** The calls that are compared, one of ours beside one of the peer's. */
export type CallName =
  | 'etcd.put'
  | 'etcd.get'
  | 'etcd.get-serializable'
  | 'strongroom.put'
  | 'strongroom.get';

const paths: Readonly<Record<CallName, string>> = {
  'etcd.put': '/etcdserverpb.KV/Put',
  'etcd.get': '/etcdserverpb.KV/Range',
  'etcd.get-serializable': '/etcdserverpb.KV/Range',
  'strongroom.put': '/strongroom.v1.KvService/Put',
  'strongroom.get': '/strongroom.v1.KvService/Get',
};

export function callPath(call: CallName): string {
  return paths[call];
}

/** A length-prefixed gRPC message (uncompressed) for one call on key number `key`. */
export function callBody(call: CallName, key: number, valueBytes: number): Buffer {
  return framed(callMessage(call, key, valueBytes));
}

/** The request message of one call on key number `key`. */
export function callMessage(call: CallName, key: number, valueBytes: number): Uint8Array {
  return encode(call, `bench/${key % 997}/k${key}`, valueBytes);
}

/** The name of the operation in a pipeline. @throws Error for a call of the peer's */
export function operationOf(call: CallName): string {
  switch (call) {
    case 'strongroom.put':
      return 'kv.put';
    case 'strongroom.get':
      return 'kv.get';
    case 'etcd.put':
    case 'etcd.get':
    case 'etcd.get-serializable':
      throw new Error(`${call} cannot be pipelined`);
  }
}

function encode(call: CallName, name: string, valueBytes: number): Uint8Array {
  const writer = protobuf.Writer.create();
  switch (call) {
    // PutRequest { bytes key = 1; bytes value = 2; }
    case 'etcd.put':
      return writer.uint32(10).string(name).uint32(18).bytes(jsonValue(valueBytes)).finish();
    // RangeRequest { bytes key = 1; bool serializable = 7; }
    case 'etcd.get':
      return writer.uint32(10).string(name).finish();
    case 'etcd.get-serializable':
      return writer.uint32(10).string(name).uint32(56).bool(true).finish();
    // KvPutRequest { string mount = 1; string path = 2; bytes data = 3; }
    case 'strongroom.put':
      return writer
        .uint32(10)
        .string('secret')
        .uint32(18)
        .string(name)
        .uint32(26)
        .bytes(jsonValue(valueBytes))
        .finish();
    case 'strongroom.get':
      return writer.uint32(10).string('secret').uint32(18).string(name).finish();
  }
}

const values = new Map<number, Uint8Array>();

/** A JSON object of `bytes` bytes: what a secret looks like. */
export function jsonValue(bytes: number): Uint8Array {
  let value = values.get(bytes);
  if (value === undefined) {
    const frame = '{"password":""}'.length;
    value = new TextEncoder().encode(`{"password":"${'x'.repeat(Math.max(0, bytes - frame))}"}`);
    values.set(bytes, value);
  }
  return value;
}
