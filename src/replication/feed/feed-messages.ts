import { StrongroomError, unreachable } from '../../lib/index.ts';
import type { Entry, LogIndex, Membership, NodeId, Term } from '../../raft/index.ts';
import type { internal } from '../../wire/index.ts';

type FeedEntry = internal.internal.v1.FeedEntry.$Properties;
type FeedMembership = internal.internal.v1.FeedMembership.$Properties;

/** Entries of one message: so many, or so many bytes. */
const FEED_BATCH_ENTRIES = 512;
const FEED_BATCH_BYTES = 1024 * 1024;

export function encodeEntry(entry: Entry): FeedEntry {
  const { index, term, kind, data } = entry;
  return { index, term, kind: kindNumber(kind), data };
}

/** @throws StrongroomError `request.invalid` */
export function decodeEntry(entry: FeedEntry): Entry {
  return {
    index: (entry.index ?? 0) as LogIndex,
    term: (entry.term ?? 0) as Term,
    kind: kindOf(entry.kind ?? 0),
    data: entry.data ?? new Uint8Array(),
  };
}

export function encodeMembership(membership: Membership): FeedMembership {
  return {
    voters: [...membership.voters],
    learners: [...membership.learners],
    removed: [...membership.removed],
  };
}

export function decodeMembership(membership: FeedMembership): Membership {
  return {
    voters: (membership.voters ?? []) as NodeId[],
    learners: (membership.learners ?? []) as NodeId[],
    removed: (membership.removed ?? []) as NodeId[],
  };
}

/** Cuts entries into batches that fit one message each; a large entry has one of its own. */
export function* feedBatches(entries: readonly Entry[]): Generator<readonly Entry[]> {
  let batch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const full = batch.length >= FEED_BATCH_ENTRIES || bytes + entry.data.length > FEED_BATCH_BYTES;
    if (full && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += entry.data.length;
  }
  if (batch.length > 0) yield batch;
}

function kindNumber(kind: Entry['kind']): number {
  switch (kind) {
    case 'command':
      return 1;
    case 'empty':
      return 2;
    case 'membership':
      return 3;
    default:
      return unreachable(kind);
  }
}

function kindOf(kind: number): Entry['kind'] {
  if (kind === 1) return 'command';
  if (kind === 2) return 'empty';
  if (kind === 3) return 'membership';
  throw new StrongroomError('request.invalid', `Cannot read a fed entry: its kind is ${kind}`);
}
