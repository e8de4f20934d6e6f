import { hash } from 'node:crypto';

/** Longest line that is written or read. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** What the first record of a chain names as the hash before it. */
export const NO_HASH = '0'.repeat(64);

/** The last record of a chain, or of what is known of it. Sequence 0: there is none yet. */
export interface ChainHead {
  readonly sequence: number;
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
}

export const EMPTY_CHAIN: ChainHead = { sequence: 0, hash: NO_HASH };

export interface ChainedLine extends ChainHead {
  readonly previous: string;
  /** Whether the hash is that of the bytes before it. */
  readonly isIntact: boolean;
}

const TAIL_BYTES = ',"hash":""}'.length + 64;
const HEAD = /^\{"sequence":([1-9][0-9]{0,15}),"previous":"([0-9a-f]{64})",/;
const TAIL = /^,"hash":"([0-9a-f]{64})"\}$/;

/**
 * A record as a line of JSON with its place in the chain:
 * `{"sequence":7,"previous":"...","type":"request",...,"hash":"..."}`.
 *
 * `members` are the record's own fields: the text of a JSON object without its braces, none of them
 * named `sequence`, `previous`, `type` or `hash`. The hash is SHA-256 of the very bytes before `,"hash"`. It is taken over bytes and not over parsed
 * JSON, so no two readers can disagree on a canonical form.
 */
export function chainLine(
  before: ChainHead,
  type: string,
  members: string,
): { readonly line: string; readonly head: ChainHead } {
  const sequence = before.sequence + 1;
  const body = `{"sequence":${sequence},"previous":"${before.hash}","type":"${type}",${members}`;
  const digest = sha256(body);
  return { line: `${body},"hash":"${digest}"}`, head: { sequence, hash: digest } };
}

/** Reads the place of a line in its chain; `undefined` when it is no chained record. */
export function readChainedLine(line: Uint8Array): ChainedLine | undefined {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const at = bytes.length - TAIL_BYTES;
  const tail = TAIL.exec(bytes.toString('latin1', Math.max(at, 0)));
  const head = HEAD.exec(bytes.toString('latin1', 0, 120));
  const [claimed, sequence, previous] = [tail?.[1], head?.[1], head?.[2]];
  if (claimed === undefined || sequence === undefined || previous === undefined) return undefined;
  const isIntact = sha256(bytes.subarray(0, at)) === claimed;
  return { sequence: Number(sequence), previous, hash: claimed, isIntact };
}

export function sha256(bytes: string | Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
