import { invariant } from '../../lib/index.ts';
import type { CoreState } from './core-state.ts';
import type { Entry, LogIndex, NodeId } from './message.ts';
import { flushReads } from './reads.ts';
import type { HardState, Ready, Role, StorageReceipt } from './ready.ts';
import { flushReplication, maybeCommit } from './replication.ts';

/** Turns what the core decided since the last time into work for the driver. */
export class ReadyMaker {
  readonly #core: CoreState;
  #hard: HardState;
  #leader: NodeId | undefined;
  #role: Role;

  constructor(core: CoreState) {
    this.#core = core;
    this.#hard = core.options.initial.hard;
    this.#leader = core.leader;
    this.#role = core.role;
  }

  /** The membership that counts changed on a leader. */
  membershipChanged(): void {
    maybeCommit(this.#core);
    this.#core.replicationDue = true;
  }

  /** Reads and replication look at the whole of what happened, once. */
  #flush(): void {
    flushReads(this.#core);
    flushReplication(this.#core);
  }

  hasReady(): boolean {
    this.#flush();
    const core = this.#core;
    return (
      core.sendNow.length > 0 ||
      core.afterPersist.length > 0 ||
      core.reads.length > 0 ||
      core.failedReads.length > 0 ||
      core.log.hasUntaken() ||
      this.#softChanged() ||
      this.#hardChanged() ||
      this.#applyTo() > core.apply.applying
    );
  }

  #softChanged(): boolean {
    return this.#leader !== this.#core.leader || this.#role !== this.#core.role;
  }

  #hardChanged(): boolean {
    return this.#voteChanged() || this.#hard.commit !== this.#core.commit;
  }

  #voteChanged(): boolean {
    return this.#hard.term !== this.#core.term || this.#hard.vote !== this.#core.vote;
  }

  /** Applied is only what is committed and durable here, and nothing under a pending snapshot. */
  #applyTo(): LogIndex {
    const { log, apply, commit } = this.#core;
    if (apply.budget === 0) return apply.applying;
    return Math.min(commit, log.durableIndex()) as LogIndex;
  }

  ready(): Ready {
    this.#flush();
    const core = this.#core;
    const soft = this.#softChanged() ? { leader: core.leader, role: core.role } : undefined;
    const voteChanged = this.#voteChanged();
    const hard = this.#hardChanged() ? core.hard : undefined;
    const { entries, snapshot } = core.log.take();
    const apply = this.#takeApply();
    const writes = hard !== undefined || entries.length > 0 || snapshot !== undefined;
    const ready: Ready = {
      soft,
      hard,
      append: entries,
      snapshot,
      sendNow: core.sendNow,
      afterPersist: core.afterPersist,
      receipt: writes ? this.#receipt(snapshot?.index) : undefined,
      apply,
      reads: core.reads,
      failedReads: core.failedReads,
      mustSync: voteChanged || entries.length > 0 || snapshot !== undefined,
    };
    core.sendNow = [];
    core.afterPersist = [];
    core.reads = [];
    core.failedReads = [];
    this.#hard = core.hard;
    this.#leader = core.leader;
    this.#role = core.role;
    if (writes || ready.sendNow.length > 0 || ready.afterPersist.length > 0) core.trace('Ready');
    return ready;
  }

  /**
   * Names the last entry of the log as it is now, whether or not this `Ready` brings it: an earlier
   * one did, its write comes first, and its own receipt may be from a term that is over.
   */
  #receipt(snapshotIndex: LogIndex | undefined): StorageReceipt {
    const { log, term, storage } = this.#core;
    const lastIndex = log.lastIndex();
    const receipt = { term, lastIndex, lastTerm: log.lastTerm(), snapshotIndex };
    storage.handedOut(receipt);
    return receipt;
  }

  #takeApply(): readonly Entry[] {
    const { log, apply, options } = this.#core;
    const from = (apply.applying + 1) as LogIndex;
    const to = this.#applyTo();
    if (to < from) return [];
    const bytesMax = Math.min(apply.budget, options.appendBytesMax);
    const entries = log.slice(from, (to + 1) as LogIndex, bytesMax);
    invariant(entries !== undefined, 'A committed entry is not in the log', { from, to });
    apply.hand(entries);
    return entries;
  }
}
