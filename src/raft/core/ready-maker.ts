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
  #flush(nowMs: number | undefined): void {
    flushReads(this.#core, nowMs);
    flushReplication(this.#core);
  }

  hasReady(nowMs?: number): boolean {
    this.#flush(nowMs);
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
    const { held } = this.#core.durableCommit;
    const to = Math.min(commit, log.durableIndex()) as LogIndex;
    return held === undefined ? to : (Math.min(to, held - 1) as LogIndex);
  }

  ready(nowMs?: number): Ready {
    this.#flush(nowMs);
    const core = this.#core;
    if (nowMs !== undefined && core.role === 'leader') core.lease.sent(core.rounds.number, nowMs);
    const soft = this.#softChanged() ? { leader: core.leader, role: core.role } : undefined;
    const voteChanged = this.#voteChanged();
    const { entries, snapshot } = core.log.take();
    const apply = this.#takeApply();
    const commitMustSync = this.#commitMustSync();
    const hard = this.#hardChanged() || commitMustSync ? core.hard : undefined;
    const mustSync = voteChanged || commitMustSync || entries.length > 0 || snapshot !== undefined;
    const writes = hard !== undefined || mustSync;
    const ready: Ready = {
      soft,
      hard,
      append: entries,
      snapshot,
      sendNow: core.sendNow,
      afterPersist: core.afterPersist,
      receipt: writes ? this.#receipt(snapshot?.index, mustSync) : undefined,
      apply,
      reads: core.reads,
      failedReads: core.failedReads,
      mustSync,
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
  #receipt(snapshotIndex: LogIndex | undefined, mustSync: boolean): StorageReceipt {
    const { log, term, storage, durableCommit } = this.#core;
    const commit = mustSync ? this.#core.commit : undefined;
    if (commit !== undefined) durableCommit.asked(commit);
    const lastIndex = log.lastIndex();
    const receipt = { term, lastIndex, lastTerm: log.lastTerm(), snapshotIndex, commit };
    storage.handedOut(receipt);
    return receipt;
  }

  /** A membership change waits for it: here to be applied, or on the leader to be told. */
  #commitMustSync(): boolean {
    const { role, commit, pendingChangeIndex, durableCommit } = this.#core;
    const { held, index } = durableCommit;
    const waits = held !== undefined || (role === 'leader' && pendingChangeIndex > index);
    return waits && durableCommit.isMissing(held ?? commit);
  }

  #takeApply(): readonly Entry[] {
    const { log, apply, options } = this.#core;
    const from = (apply.applying + 1) as LogIndex;
    const to = this.#applyTo();
    if (to < from) return [];
    const bytesMax = Math.min(apply.budget, options.appendBytesMax);
    const entries = log.slice(from, (to + 1) as LogIndex, bytesMax);
    invariant(entries !== undefined, 'A committed entry is not in the log', { from, to });
    const ready = this.#upToHeldChange(entries);
    apply.hand(ready);
    return ready;
  }

  #upToHeldChange(entries: readonly Entry[]): readonly Entry[] {
    const { durableCommit } = this.#core;
    const at = entries.findIndex(
      ({ kind, index }) => kind === 'membership' && index > durableCommit.index,
    );
    const change = entries[at];
    if (change === undefined) return entries;
    durableCommit.hold(change.index);
    return entries.slice(0, at);
  }
}
