import { invariant, unreachable } from '../../lib/index.ts';
import type { Entry, Membership, MembershipChange, NodeId } from './message.ts';

const FORMAT = 1;
const KINDS = ['add-learner', 'promote', 'demote', 'remove'] as const;
const HEADER_BYTES = 10;

/** Bytes of a `membership` entry: format, kind, node id (8 bytes, big-endian), context. */
export function encodeMembershipChange(change: MembershipChange): Uint8Array {
  const context = change.kind === 'add-learner' ? change.context : new Uint8Array();
  const out = new Uint8Array(HEADER_BYTES + context.byteLength);
  const view = new DataView(out.buffer);
  out[0] = FORMAT;
  out[1] = KINDS.indexOf(change.kind);
  view.setUint32(2, Math.floor(change.node / 2 ** 32));
  view.setUint32(6, change.node % 2 ** 32);
  out.set(context, HEADER_BYTES);
  return out;
}

/** @throws InvariantError when `data` was not made by `encodeMembershipChange`: log and code differ. */
export function decodeMembershipChange(data: Uint8Array): MembershipChange {
  const kind = KINDS[data[1] ?? KINDS.length];
  const known = data.byteLength >= HEADER_BYTES && data[0] === FORMAT && kind !== undefined;
  invariant(known, 'Unknown membership entry', { format: data[0], kind: data[1] });
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const node = (view.getUint32(2) * 2 ** 32 + view.getUint32(6)) as NodeId;
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

/** The membership after applying `entries` to a state that had `before`. For state machines. */
export function membershipAfter(before: Membership, entries: readonly Entry[]): Membership {
  let membership = before;
  for (const entry of entries) {
    if (entry.kind !== 'membership') continue;
    membership = changedMembership(membership, decodeMembershipChange(entry.data));
  }
  return membership;
}
