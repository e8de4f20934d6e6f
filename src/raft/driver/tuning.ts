import type { LeaseOptions } from '../core/index.ts';

/** Bounds and paces of one node. Every one has a default that suits a cluster in one region. */
export interface RaftTuning {
  readonly tickMs: number;
  /** A follower campaigns after this many silent ticks, and up to twice as many. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly appendBytesMax: number;
  readonly inflightMax: number;
  readonly uncommittedBytesMax: number;
  /** One proposal. */
  readonly entryBytesMax: number;
  /** Proposals of this node that wait for their result. */
  readonly proposalsMax: number;
  /** Readers that wait for a read index. */
  readonly readersMax: number;
  readonly segmentBytesMax: number;
  /** Applied entries that are held in memory, for followers and replicas that are a little behind. */
  readonly windowBytesMax: number;
  /** Applied and persisted entries that stay on disk, for those that are further behind. */
  readonly logKeepBytes: number;
  /** The state machine is asked to persist after this much was applied. */
  readonly persistBytes: number;
  /** A leader answers reads while a majority has promised to elect nobody else: see `lease.ts`. */
  readonly leaseReads: boolean;
  /** How much faster one node's clock may run than another's, in hundredths. */
  readonly leaseDriftPercent: number;
  /** The high-water mark may lag behind the log by this much time. */
  readonly markLagMs: number;
}

const MIB = 1024 * 1024;

/**
 * Fail-over: a dead leader is noticed after 0.8 to 1.6 s, by the first of two followers after about
 * 1.05 s in the median, and the election itself takes two round trips and one sync.
 */
export const DEFAULT_TUNING: RaftTuning = {
  tickMs: 50,
  electionTicks: 16,
  heartbeatTicks: 2,
  appendBytesMax: MIB,
  inflightMax: 256,
  uncommittedBytesMax: 64 * MIB,
  entryBytesMax: 1.5 * MIB,
  proposalsMax: 16_384,
  readersMax: 65_536,
  segmentBytesMax: 32 * MIB,
  windowBytesMax: 64 * MIB,
  logKeepBytes: 128 * MIB,
  persistBytes: 16 * MIB,
  leaseReads: false,
  leaseDriftPercent: 10,
  markLagMs: 200,
};

/** Timers fire up to this much early: Node rounds to milliseconds. */
const TIMER_EARLY_MS = 1;

/** How long a node with this tuning gives no vote after it heard from a leader; 0 without leases. */
export function promiseMs({ leaseReads, tickMs, electionTicks }: RaftTuning): number {
  // The first tick may follow what was heard at once.
  return leaseReads ? Math.floor((electionTicks - 1) * (tickMs - TIMER_EARLY_MS)) : 0;
}

/** Ticks from the start that take at least as long as what was promised before it. */
export function ticksToKeep(promisedMs: number, { tickMs }: RaftTuning): number {
  return Math.ceil(promisedMs / Math.max(tickMs - TIMER_EARLY_MS, 1));
}

/** `undefined` without leases. */
export function leaseOptions(tuning: RaftTuning): LeaseOptions | undefined {
  if (!tuning.leaseReads) return undefined;
  return { promiseMs: promiseMs(tuning), share: 1 - tuning.leaseDriftPercent / 100 };
}
