import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs/minimal.js';

/**
 * The file descriptors of all that `proto/` declares except what only nodes say to one another, each
 * as an encoded google.protobuf.FileDescriptorProto: what server reflection serves.
 */
export function publicFileDescriptors(): readonly Buffer[] {
  const set = readFileSync(new URL('generated/descriptors.binpb', import.meta.url));
  const files: Buffer[] = [];
  const reader = protobuf.Reader.create(set);
  while (reader.pos < reader.len) {
    // FileDescriptorSet { repeated FileDescriptorProto file = 1; }
    const tag = reader.uint32();
    if (tag >>> 3 !== 1) {
      reader.skipType(tag & 7);
      continue;
    }
    const file = Buffer.from(reader.bytes());
    if (!fileName(file).startsWith('strongroom/internal/')) files.push(file);
  }
  return files;
}

/** FileDescriptorProto { string name = 1; } comes first, as every writer writes it. */
function fileName(file: Uint8Array): string {
  const reader = protobuf.Reader.create(file);
  return reader.uint32() === 10 ? reader.string() : '';
}
