import protobuf from 'protobufjs/minimal.js';

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
  const message = encode(call, `bench/${key % 997}/k${key}`, valueBytes);
  const body = Buffer.alloc(5 + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, 5);
  return body;
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
