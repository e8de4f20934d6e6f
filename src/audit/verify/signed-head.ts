import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import {
  concatBytes,
  fromHex,
  lengthPrefixed,
  type SecretBytes,
  StrongroomError,
  utf8Bytes,
} from '../../lib/index.ts';
import type { ChainHead } from './chained-line.ts';

const LABEL = utf8Bytes('strongroom/audit/head/v1');
// An Ed25519 key in DER is a fixed header and the 32 bytes (RFC 8410).
const PRIVATE_DER_HEADER = fromHex('302e020100300506032b657004220420');
const PUBLIC_DER_HEADER = fromHex('302a300506032b6570032100');

/** The head of one node's chain, as it is committed to the cluster. */
export interface AuditHead extends ChainHead {
  /** 32 hex digits. */
  readonly clusterId: string;
  readonly node: number;
  /** Name of the sink: each has a chain of its own. */
  readonly sink: string;
  readonly committedAtMs: number;
}

export interface SignedHead extends AuditHead {
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
  /** 32 bytes. Trust it because the cluster's log holds it, not because it is here. */
  readonly publicKey: Uint8Array;
}

/** @param seed 32 random bytes, borrowed. */
export function signHead(seed: SecretBytes, head: AuditHead): SignedHead {
  const key = createPrivateKey({
    key: Buffer.from(concatBytes(PRIVATE_DER_HEADER, seed.reveal())),
    format: 'der',
    type: 'pkcs8',
  });
  return {
    clusterId: head.clusterId,
    node: head.node,
    sink: head.sink,
    sequence: head.sequence,
    hash: head.hash,
    committedAtMs: head.committedAtMs,
    signature: new Uint8Array(sign(null, signedBytes(head), key)),
    publicKey: publicKeyOf(key),
  };
}

/** The 32 bytes that go with a seed, to be registered in the cluster. */
export function headPublicKey(seed: SecretBytes): Uint8Array {
  const der = Buffer.from(concatBytes(PRIVATE_DER_HEADER, seed.reveal()));
  return publicKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

/** Whether `head` was signed by the key that it names. */
export function verifyHead(head: SignedHead): boolean {
  if (head.publicKey.length !== 32 || head.signature.length !== 64) return false;
  const der = Buffer.from(concatBytes(PUBLIC_DER_HEADER, head.publicKey));
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, signedBytes(head), key, head.signature);
}

function publicKeyOf(key: KeyObject): Uint8Array {
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(PUBLIC_DER_HEADER.length));
}

function signedBytes(head: AuditHead): Uint8Array {
  const numbers = new Uint8Array(24);
  const view = new DataView(numbers.buffer);
  for (const [i, value] of [head.node, head.sequence, head.committedAtMs].entries()) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new StrongroomError('request.invalid', 'The numbers of an audit head are whole');
    }
    view.setBigUint64(8 * i, BigInt(value));
  }
  return lengthPrefixed(
    LABEL,
    utf8Bytes(head.clusterId),
    utf8Bytes(head.sink),
    numbers,
    utf8Bytes(head.hash),
  );
}
