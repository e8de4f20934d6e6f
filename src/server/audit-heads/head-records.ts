import type { SignedHead } from '../../audit/index.ts';
import { type CommittedHead, encodeJson, headSchema } from '../cluster/peer-request.ts';

/**
 * Where a chain's heads are kept: the newest ones in a ring, the first of each hour for three days
 * and the first of each day for a year. Bounded, however long the cluster lives, and whoever floods
 * the ring does not push out what vouches for yesterday.
 */
export const HEADS_PREFIX = 'audit/heads/';
const RECENT_KEPT = 64;
const HOURS_KEPT = 72;
const DAYS_KEPT = 366;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** All heads of one sink fit into so many records. */
export const HEADS_A_SINK_MAX = RECENT_KEPT + HOURS_KEPT + DAYS_KEPT;

const padded = (node: number) => String(node).padStart(10, '0');

/** The key that a node's heads must be of: the one that its first head had. */
export const headKeyRecord = (node: number) => `audit/head-keys/${padded(node)}`;
export const HEAD_KEYS_PREFIX = 'audit/head-keys/';

export const headsOfNode = (node: number) => `${HEADS_PREFIX}${padded(node)}/`;
export const headsOfSink = (node: number, sink: string) => `${headsOfNode(node)}${sink}/`;

/** The records of a new head: by count in the ring, and by the committing leader's clock. */
export function placesOf(
  head: CommittedHead,
  nowMs: number,
  count: number,
): { readonly recent: string; readonly hour: string; readonly day: string } {
  const of = headsOfSink(head.node, head.sink);
  return {
    recent: `${of}recent/${count % RECENT_KEPT}`,
    hour: `${of}hour/${Math.floor(nowMs / HOUR_MS) % HOURS_KEPT}`,
    day: `${of}day/${Math.floor(nowMs / DAY_MS) % DAYS_KEPT}`,
  };
}

/** Whether what is kept for an hour or a day is of this very one. */
export function isOfSame(span: 'hour' | 'day', keptAtMs: number, nowMs: number): boolean {
  const lengthMs = span === 'hour' ? HOUR_MS : DAY_MS;
  return Math.floor(keptAtMs / lengthMs) === Math.floor(nowMs / lengthMs);
}

/** A head beside what the leader adds to it, which the node's signature does not cover. */
export interface KeptHead {
  readonly head: CommittedHead;
  readonly keptAtMs: number;
  /** Heads of this chain before it. */
  readonly count: number;
}

export function encodeKept(kept: KeptHead): Uint8Array {
  return encodeJson(kept);
}

/** Undefined for what is no kept head. */
export function parseKept(value: Uint8Array): KeptHead | undefined {
  try {
    const { head, keptAtMs, count } = JSON.parse(new TextDecoder().decode(value)) as KeptHead;
    return { head: headSchema.parse(head), keptAtMs: Number(keptAtMs), count: Number(count) };
  } catch {
    return undefined;
  }
}

/** As the audit log's own verification takes it. */
export function signedHead(head: CommittedHead, clusterId: string): SignedHead {
  return {
    clusterId,
    node: head.node,
    sink: head.sink,
    sequence: head.sequence,
    hash: head.head,
    committedAtMs: head.committedAtMs,
    signature: new Uint8Array(Buffer.from(head.signature, 'base64')),
    publicKey: new Uint8Array(Buffer.from(head.publicKey, 'base64')),
  };
}
