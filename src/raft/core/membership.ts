import { invariant, unreachable } from '../../lib/index.ts';
import type { Entry, Membership, MembershipChange, NodeId } from './message.ts';

const FORMAT = 1;
const KINDS = ['add-learner', 'promote', 'demote', 'remove'] as const;
const ID_BYTES = 8;
const HEADER_BYTES = 2 + ID_BYTES;
const FOUNDERS_HEADER_BYTES = 3;

function writeId(view: DataView, at: number, node: NodeId): void {
  view.setUint32(at, Math.floor(node / 2 ** 32));
  view.setUint32(at + 4, node % 2 ** 32);
}

const readId = (view: DataView, at: number): NodeId =>
  (view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)) as NodeId;

/** Bytes of a `membership` entry: format, kind, node id (8 bytes, big-endian), context. */
export function encodeMembershipChange(change: MembershipChange): Uint8Array {
  const context = change.kind === 'add-learner' ? change.context : new Uint8Array();
  const out = new Uint8Array(HEADER_BYTES + context.byteLength);
  const view = new DataView(out.buffer);
  out[0] = FORMAT;
  out[1] = KINDS.indexOf(change.kind);
  writeId(view, 2, change.node);
  out.set(context, HEADER_BYTES);
  return out;
}

/** @throws InvariantError when `data` was not made by `encodeMembershipChange`: log and code differ. */
export function decodeMembershipChange(data: Uint8Array): MembershipChange {
  const kind = KINDS[data[1] ?? KINDS.length];
  const known = data.byteLength >= HEADER_BYTES && data[0] === FORMAT && kind !== undefined;
  invariant(known, 'Unknown membership entry', { format: data[0], kind: data[1] });
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const node = readId(view, 2);
  return kind === 'add-learner'
    ? { kind, node, context: data.slice(HEADER_BYTES) }
    : { kind, node };
}

export const isVoter = (membership: Membership, node: NodeId): boolean =>
  membership.voters.includes(node);

export const isMember = (membership: Membership, node: NodeId): boolean =>
  membership.voters.includes(node) || membership.learners.includes(node);

/** Voters and learners, ascending. */
export function members(membership: Membership): readonly NodeId[] {
  return [...membership.voters, ...membership.learners].sort((a, b) => a - b);
}

const without = (nodes: readonly NodeId[], node: NodeId) => nodes.filter((other) => other !== node);
const plus = (nodes: readonly NodeId[], node: NodeId) =>
  [...without(nodes, node), node].sort((a, b) => a - b);

/**
 * The membership after `change`: at most one voter more or less, so that any majority of the old
 * and any of the new share a node (Raft thesis 4.1). A change that no longer fits changes nothing:
 * every node decides the same, because it depends on the log alone.
 */
export function changedMembership(before: Membership, change: MembershipChange): Membership {
  if (whyImpossible(before, change) !== undefined) return before;
  const { node } = change;
  const voters = without(before.voters, node);
  const learners = without(before.learners, node);
  switch (change.kind) {
    case 'add-learner':
      return { ...before, learners: plus(learners, node) };
    case 'promote':
      return { ...before, voters: plus(voters, node), learners };
    case 'demote':
      return { ...before, voters, learners: plus(learners, node) };
    case 'remove':
      return { voters, learners, removed: plus(before.removed, node) };
    default:
      return unreachable(change);
  }
}

/** Why `change` does not fit `membership`; `undefined` when it does. */
export function whyImpossible(
  membership: Membership,
  change: MembershipChange,
): string | undefined {
  const { node } = change;
  if (membership.removed.includes(node)) {
    return `node ${node} was removed, and ids are never reused; add it under a new id`;
  }
  const lastVoter = isVoter(membership, node) && membership.voters.length === 1;
  switch (change.kind) {
    case 'add-learner':
      return isMember(membership, node) ? `node ${node} is a member already` : undefined;
    case 'promote':
      return membership.learners.includes(node) ? undefined : `node ${node} is no learner`;
    case 'demote':
      if (!isVoter(membership, node)) return `node ${node} is no voter`;
      return lastVoter ? `node ${node} is the last voter` : undefined;
    case 'remove':
      if (!isMember(membership, node)) return `node ${node} is no member`;
      return lastVoter ? `node ${node} is the last voter` : undefined;
    default:
      return unreachable(change);
  }
}

/**
 * Bytes of a log's first entry: format, how many voters and learners, and their ids. It says who
 * founded the cluster, because a node that joins later and reads the log from its start would
 * otherwise count only those that came after, and could elect itself among them.
 */
export function encodeFounders({ voters, learners }: Membership): Uint8Array {
  const ids = [...voters, ...learners];
  const out = new Uint8Array(FOUNDERS_HEADER_BYTES + ids.length * ID_BYTES);
  const view = new DataView(out.buffer);
  out.set([FORMAT, voters.length, learners.length]);
  ids.forEach((id, at) => {
    writeId(view, FOUNDERS_HEADER_BYTES + at * ID_BYTES, id);
  });
  return out;
}

function decodeFounders(data: Uint8Array): Membership {
  const voters = data[1] ?? 0;
  const count = voters + (data[2] ?? 0);
  const bytes = FOUNDERS_HEADER_BYTES + count * ID_BYTES;
  const known = data[0] === FORMAT && data.byteLength === bytes;
  invariant(known, 'Unknown founding entry', { format: data[0], bytes: data.byteLength });
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const ids = Array.from({ length: count }, (_, at) =>
    readId(view, FOUNDERS_HEADER_BYTES + at * ID_BYTES),
  );
  return { voters: ids.slice(0, voters), learners: ids.slice(voters), removed: [] };
}

/** Whether applying `entry` may change who counts. */
export function touchesMembership(entry: Entry): boolean {
  return entry.kind === 'membership' || isFounding(entry);
}

const isFounding = (entry: Entry): boolean =>
  entry.kind === 'empty' && entry.index === 1 && entry.data.byteLength > 0;

/** The membership after applying `entries` to a state that had `before`. For state machines. */
export function membershipAfter(before: Membership, entries: readonly Entry[]): Membership {
  let membership = before;
  for (const entry of entries) {
    if (isFounding(entry)) membership = decodeFounders(entry.data);
    else if (entry.kind === 'membership') {
      membership = changedMembership(membership, decodeMembershipChange(entry.data));
    }
  }
  return membership;
}
