import type { MessageSpec } from '../operation.ts';
import { revision } from '../revision-field.ts';

const sink = {
  name: { type: 'string', about: 'The sink' },
  kind: { type: 'string', about: 'Such as "file"' },
  target: { type: 'string', about: 'Where it writes' },
  healthy: { type: 'bool', about: 'Whether it takes records' },
} as const satisfies MessageSpec;

export const auditListRequest = {} as const satisfies MessageSpec;

export const auditListResponse = {
  revision,
  sinks: { type: { list: { message: sink } }, about: 'Sinks of the node that answers' },
} as const satisfies MessageSpec;

export const auditHashRequest = {
  value: { type: 'string', sensitive: true, about: 'What to hash' },
} as const satisfies MessageSpec;

export const auditHashResponse = {
  revision,
  hash: { type: 'string', about: 'What stands for it in the audit log' },
} as const satisfies MessageSpec;

export const auditHeadsRequest = {
  node: { type: 'uint64', about: 'Only of this node; 0: of all' },
} as const satisfies MessageSpec;

const head = {
  node: { type: 'uint64', about: 'Node id' },
  sequence: { type: 'uint64', about: 'Number of the last record' },
  head: { type: 'string', about: 'SHA-256 of the last record, hex' },
  committedAtMs: { type: 'uint64', about: 'When it was committed' },
  signature: { type: 'bytes', about: 'Of the node' },
  publicKey: { type: 'bytes', about: 'That the signature is checked with' },
  sink: { type: 'string', about: 'Name of the sink: each has a chain of its own' },
} as const satisfies MessageSpec;

const headKey = {
  node: { type: 'uint64', about: 'Node id' },
  publicKey: { type: 'bytes', about: 'Ed25519, 32 bytes: that of its first head' },
} as const satisfies MessageSpec;

export const auditHeadsResponse = {
  revision,
  heads: { type: { list: { message: head } }, about: 'Signed heads, newest first' },
  keys: {
    type: { list: { message: headKey } },
    about: 'The key that all heads of a node must be of',
  },
} as const satisfies MessageSpec;
