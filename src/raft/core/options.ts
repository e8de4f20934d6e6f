import { invariant } from '../../lib/index.ts';
import type { LeaseOptions } from './lease.ts';
import type { NodeId } from './message.ts';
import type { InitialState, LogReader } from './ready.ts';
import type { TraceEvent } from './trace.ts';

export interface RaftCoreOptions {
  readonly id: NodeId;
  readonly initial: InitialState;
  readonly log: LogReader;
  /** A uniform integer in `[0, bound)`: election timeouts and the start of read numbers. */
  readonly random: { below(bound: number): number };
  /** An election starts after this many ticks without a leader, and up to twice as many. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Entries of one append message, and of one `Ready.apply`; a single larger entry still passes. */
  readonly appendBytesMax: number;
  /** Appends on their way to one peer. */
  readonly inflightMax: number;
  /** Payload bytes that a leader may hold uncommitted before it answers `overloaded`. */
  readonly uncommittedBytesMax: number;
  /** Absent: every read is confirmed by a round of heartbeats. */
  readonly lease?: LeaseOptions;
  /** Told of each transition, in etcd's trace format. */
  readonly trace?: (event: TraceEvent) => void;
}

/** Full appends that fill a peer's window: keeps a link of some 100 ms busy, in bounded memory. */
export const INFLIGHT_APPENDS_FULL = 16;
/** Full batches that may be on their way through the state machine. */
export const APPLY_BATCHES_OUTSTANDING = 8;
/** Committed and not applied entries, beyond which a leader takes no more proposals. */
export const APPLY_BACKLOG_MAX = 65_536;

export function checkOptions(options: RaftCoreOptions): void {
  const { electionTicks, heartbeatTicks, appendBytesMax, inflightMax, uncommittedBytesMax } =
    options;
  const positive = [
    options.id,
    electionTicks,
    heartbeatTicks,
    appendBytesMax,
    inflightMax,
    uncommittedBytesMax,
  ].every((value) => Number.isSafeInteger(value) && value > 0);
  invariant(positive, 'Raft options must be positive whole numbers', {
    electionTicks,
    heartbeatTicks,
    appendBytesMax,
    inflightMax,
    uncommittedBytesMax,
  });
  // A follower must survive a lost heartbeat or two without an election.
  invariant(electionTicks > heartbeatTicks, 'electionTicks must exceed heartbeatTicks', {
    electionTicks,
    heartbeatTicks,
  });
}
