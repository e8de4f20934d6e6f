import { InvariantError, StrongroomError } from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type {
  HardState,
  InitialState,
  LogIndex,
  Membership,
  NodeId,
  SnapshotMeta,
  Term,
} from '../core/index.ts';
import type { Disk } from './disk.ts';
import { type HighWater, HighWaterFile, holdsPromises, NO_HIGH_WATER } from './log/high-water.ts';
import { RaftLog } from './log/raft-log.ts';
import type { LogIdentity } from './log/records.ts';
import type { StateMachine } from './state-machine.ts';
import { promiseMs, type RaftTuning, ticksToKeep } from './tuning.ts';

export interface OpenStateOptions {
  readonly identity: LogIdentity;
  readonly incarnation: number | undefined;
  readonly disk: Disk;
  readonly sidecarDisk: Disk;
  readonly stateMachine: StateMachine;
  readonly bootstrap: Membership | undefined;
  readonly tuning: RaftTuning;
  readonly log: Logger;
}

export interface OpenState {
  readonly raftLog: RaftLog;
  readonly highWater: HighWaterFile;
  readonly mark: HighWater;
  readonly initial: InitialState;
  /** What was promised may be lost: no vote before the leader's log has been caught up with. */
  readonly recovering: boolean;
  readonly incarnation: number;
}

/**
 * Opens what a node left on its disks, and decides whether it may vote.
 *
 * It may not when part of what it acknowledged is gone: the log is damaged, shorter than the
 * high-water mark, or missing. It keeps its term and vote from the mark, so no promise about votes
 * is ever lost, and acknowledges only what it stores anew. It votes again once it holds what a leader
 * that counts only its new acknowledgements had committed.
 *
 * @throws StrongroomError `raft.wrong-cluster`; `raft.log-corrupt` when the mark is lost as well;
 *   `raft.disk-failed`.
 */
export async function openState(options: OpenStateOptions): Promise<OpenState> {
  try {
    return await open(options);
  } catch (error) {
    if (error instanceof StrongroomError || error instanceof InvariantError) throw error;
    throw new StrongroomError(
      'raft.disk-failed',
      'Cannot open the Raft log or the high-water mark beside it: the disk refused a read or a write',
      { cause: error },
    );
  }
}

async function open(options: OpenStateOptions): Promise<OpenState> {
  const { disk, sidecarDisk, identity, stateMachine, tuning, log } = options;
  const highWater = await HighWaterFile.open(sidecarDisk, identity);
  const mark = highWater.current();
  const held = stateMachine.applied();
  const applied: SnapshotMeta = { ...held };
  const opened = await RaftLog.open({
    disk,
    identity,
    applied,
    segmentBytesMax: tuning.segmentBytesMax,
    windowBytesMax: tuning.windowBytesMax,
    onDamage: async (damage) => {
      if (mark === undefined) throw bothLost(damage);
      await highWater.write({ ...mark, recovering: true });
    },
  });
  const { log: raftLog, damage } = opened;
  const lastTerm = raftLog.termOf(raftLog.lastIndex()) ?? (0 as Term);
  const hard = atLeast(lastTerm, strongest(opened.hard, mark));
  const lost = whatIsLost({ mark, hard: opened.hard, raftLog, damage });
  if (lost !== undefined && mark === undefined) throw bothLost(lost);
  if (lost !== undefined) {
    log.error(
      { code: 'raft.log-corrupt', lost },
      'Part of the acknowledged Raft log is lost; this node does not vote until it has caught up',
    );
  }
  const firstStart = opened.empty && mark === undefined;
  const begun = !firstStart && !(lost === undefined && brokeOffAtFirst(mark, hard, opened));
  const bootstraps = !begun && options.bootstrap !== undefined;
  // A node without any past joins: it cannot know yet what a former disk of this id promised.
  const joins = firstStart && options.bootstrap === undefined;
  if (bootstraps && options.bootstrap !== undefined) raftLog.begin(options.bootstrap);
  const recovering = lost !== undefined || joins || (mark?.recovering ?? false);
  const incarnation = options.incarnation ?? (mark?.incarnation ?? 0) + 1;
  const promised = mark?.promisedMs ?? 0;
  const newMark: HighWater = {
    ...(mark ?? NO_HIGH_WATER),
    incarnation,
    recovering,
    promisedMs: Math.max(promised, promiseMs(tuning)),
    // What is lost is known now; what the log holds from here on is measured against what it has.
    ...(lost === undefined ? {} : { lastIndex: 0 as LogIndex, lastTerm: 0 as Term }),
    term: hard.term,
    vote: hard.vote,
  };
  await highWater.write(newMark);
  // What survived a dead process may still be lost with the power, and the log begins after it now.
  if (raftLog.restsOnState) await stateMachine.persist(applied.index);
  // Proves that the disk takes writes, and says on it where this log begins.
  const commit = clamp(hard.commit, applied.index, raftLog.lastIndex());
  await raftLog.write([{ kind: 'hard', hard: { ...hard, commit } }]);
  const origin = opened.origin;
  const atOrigin = origin !== undefined && applied.index <= origin.index;
  const membership = bootstraps
    ? (options.bootstrap ?? held.membership)
    : atOrigin
      ? origin.membership
      : held.membership;
  const initial = {
    hard: { ...hard, commit },
    membership,
    applied: applied.index,
    silentTicks: ticksToKeep(promised, tuning),
  };
  return { raftLog, highWater, mark: newMark, initial, recovering, incarnation };
}

/**
 * The first start ended after the mark was written and before the log was: nothing was promised, and
 * who founds the cluster is nowhere on disk. The mark is written with every new term before anything
 * is said in it, so one that still stands at the start speaks for that.
 */
function brokeOffAtFirst(
  mark: HighWater | undefined,
  hard: HardState,
  opened: { readonly log: RaftLog; readonly origin: SnapshotMeta | undefined },
): boolean {
  if (mark === undefined || mark.recovering) return false;
  const isBlank = opened.origin === undefined && opened.log.lastIndex() === 0;
  return isBlank && hard.term === 0 && mark.lastIndex === 0;
}

function whatIsLost(found: {
  readonly mark: HighWater | undefined;
  readonly hard: HardState;
  readonly raftLog: RaftLog;
  readonly damage: string | undefined;
}): string | undefined {
  if (found.damage !== undefined) return found.damage;
  const { mark, raftLog } = found;
  if (mark === undefined) return undefined;
  if (holdsPromises(mark, found.hard, raftLog.lastIndex(), (at) => raftLog.termOf(at))) {
    return undefined;
  }
  return `the log ends at entry ${raftLog.lastIndex()} in term ${found.hard.term}, but this node had reached entry ${mark.lastIndex} in term ${mark.term}: the disk was replaced, cut or rolled back`;
}

/** The log and the mark remember the term and vote apart; the later of the two is the promise. */
function strongest(hard: HardState, mark: HighWater | undefined): HardState {
  if (mark === undefined || mark.term < hard.term) return hard;
  const vote: NodeId | undefined = mark.term > hard.term ? mark.vote : (mark.vote ?? hard.vote);
  return { term: mark.term, vote, commit: hard.commit };
}

/**
 * A snapshot may have been installed just before the crash, and the term that it came in not been
 * stored yet. No vote was given in that term then.
 */
function atLeast(term: Term, hard: HardState): HardState {
  return term > hard.term ? { term, vote: undefined, commit: hard.commit } : hard;
}

function clamp(value: LogIndex, low: LogIndex, high: LogIndex): LogIndex {
  return Math.min(Math.max(value, low), high) as LogIndex;
}

function bothLost(lost: string): StrongroomError {
  return new StrongroomError(
    'raft.log-corrupt',
    `Cannot start from the Raft log: ${lost}, and the high-water mark beside it is gone, so what this node promised is unknown; remove it from the cluster and add it under a new id with empty directories`,
  );
}
