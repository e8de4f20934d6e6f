import { invariant } from '../../lib/index.ts';
import type { CoreState } from './core-state.ts';
import { entriesBytes } from './entry.ts';
import type { Entry, EntryKind, LogIndex, Message, NodeId, Term } from './message.ts';
import type { Progress } from './progress.ts';
import { quorumValue } from './quorum.ts';

/** The leader appends to its own log. Peers learn at the next flush, so that proposals batch. */
export function appendOwn(
  core: CoreState,
  kind: EntryKind,
  payloads: readonly Uint8Array[],
): { readonly first: LogIndex; readonly last: LogIndex } {
  invariant(core.role === 'leader', 'Only a leader appends', { role: core.role });
  const first = (core.log.lastIndex() + 1) as LogIndex;
  const entries: Entry[] = payloads.map((data, at) => ({
    term: core.term,
    index: (first + at) as LogIndex,
    kind,
    data,
  }));
  core.log.put(entries, core.commit);
  const last = core.log.lastIndex();
  core.replicationDue = true;
  if (core.options.trace !== undefined) {
    core.selfAcksDue.push(last);
    core.traceMessage('Send', selfAck(core, last));
  }
  return { first, last };
}

/** What a leader tells itself when its entries are durable: said nowhere but in traces. */
export function selfAck(core: CoreState, index: LogIndex): Message {
  return {
    kind: 'append-response',
    from: core.id,
    to: core.id,
    term: core.term,
    index,
    reject: false,
    hintIndex: 0 as LogIndex,
    hintTerm: 0 as Term,
  };
}

/**
 * Commits what a majority has durably, if it is of this leader's own term: an entry of an earlier
 * term may still be replaced even with a majority behind it (Raft 5.4.2, figure 8).
 */
export function maybeCommit(core: CoreState): boolean {
  const matches = core.membership.voters.map((voter) =>
    voter === core.id ? core.selfMatch : (core.progress.get(voter)?.match ?? 0),
  );
  const index = quorumValue(matches) as LogIndex;
  if (index <= core.commit || core.log.termOf(index) !== core.term) return false;
  core.commitTo(index);
  core.uncommitted.committed(index);
  core.replicationDue = true;
  core.trace('Commit');
  return true;
}

/** Sends every peer what it lacks, within its window. Called once a `Ready`. */
export function flushReplication(core: CoreState): void {
  if (!core.replicationDue || core.role !== 'leader') return;
  core.replicationDue = false;
  for (const [node, progress] of core.progress) {
    const evenIfEmpty = progress.wantsProbe || commitNewsDue(core, progress);
    progress.wantsProbe = false;
    let sent = sendAppend(core, node, progress, evenIfEmpty);
    // The window bounds this: each append with entries takes a place in it.
    while (sent) sent = sendAppend(core, node, progress, false);
  }
}

/**
 * News of a commit ride with the next entries while others are under way: a message of their own for
 * each batch, and its answer, cost a busy cluster as much as the entries do. They wait until the
 * peer's next acknowledgement at most; heartbeats tell them, too.
 */
function commitNewsDue(core: CoreState, progress: Progress): boolean {
  const change = core.pendingChangeIndex;
  // Whoever is removed is told before it is forgotten: nothing follows that the news could ride with.
  const tellsChange = progress.commitSent < change && change <= core.announcedCommit;
  const isBusy = progress.state === 'replicate' && progress.inflights.count > 0;
  if (isBusy && !tellsChange) return false;
  return core.announcedCommit > progress.commitSent && progress.commitSent < progress.next - 1;
}

function sendAppend(
  core: CoreState,
  node: NodeId,
  progress: Progress,
  evenIfEmpty: boolean,
): boolean {
  if (progress.blocked) return false;
  const prevIndex = (progress.next - 1) as LogIndex;
  const prevTerm = core.log.termOf(prevIndex);
  const end = (core.log.lastIndex() + 1) as LogIndex;
  const entries = nextEntries(core, progress, end);
  // An append that cannot say what it builds on would be taken for one from an empty log (#31).
  if (prevTerm === undefined || entries === undefined) return sendSnapshot(core, node, progress);
  // Too much for a probe: it is sent empty all the same, and its answer lets the entries go.
  const isHeldBack = progress.state === 'probe' && entries.length === 0 && progress.next < end;
  if (entries.length === 0 && !evenIfEmpty && !isHeldBack) return false;
  const last = (prevIndex + entries.length) as LogIndex;
  const commit = Math.min(core.announcedCommit, last) as LogIndex;
  core.say({
    kind: 'append',
    from: core.id,
    to: node,
    term: core.term,
    prevIndex,
    prevTerm,
    entries,
    commit,
  });
  progress.sent(last, entries.length, entriesBytes(entries), commit);
  return entries.length > 0;
}

/**
 * A probe is sent again with every heartbeat that is answered, for it may have been lost. What it
 * carries may so be sent many times: on a link that is slower than that, copies of one large append
 * would stand before everything else for as long as they take.
 */
const PROBE_BYTES_MAX = 16 * 1024;

function nextEntries(core: CoreState, progress: Progress, end: LogIndex) {
  const { appendBytesMax } = core.options;
  switch (progress.state) {
    case 'replicate':
      return progress.inflights.full ? [] : core.log.slice(progress.next, end, appendBytesMax);
    case 'probe': {
      const bytesMax = Math.min(PROBE_BYTES_MAX, appendBytesMax);
      const entries = core.log.slice(progress.next, end, bytesMax);
      // A single entry passes, however large it is.
      return entries !== undefined && entriesBytes(entries) > bytesMax ? [] : entries;
    }
    case 'snapshot':
      return [];
  }
}

/** @returns false: nothing more is sent to a peer that waits for a snapshot. */
function sendSnapshot(core: CoreState, node: NodeId, progress: Progress): false {
  // A silent peer would only hold a large transfer open.
  if (!progress.recentlyActive) return false;
  const meta = core.log.snapshotMeta();
  if (meta === undefined || meta.index < core.log.firstIndex() - 1) return false;
  core.say({ kind: 'snapshot', from: core.id, to: node, term: core.term, meta });
  progress.becomeSnapshot(meta.index);
  return false;
}

/** Heartbeats to all, with the read round that waits for confirmation. */
export function sendHeartbeats(core: CoreState): void {
  for (const [node, progress] of core.progress) {
    // Not beyond what the peer is known to hold: its tail may be another leader's.
    const commit = Math.min(progress.match, core.announcedCommit) as LogIndex;
    const context = core.rounds.current;
    core.say({ kind: 'heartbeat', from: core.id, to: node, term: core.term, commit, context });
  }
}
