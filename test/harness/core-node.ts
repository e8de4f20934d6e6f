import { type Random, utf8Bytes, utf8Text } from '../../src/lib/index.ts';
import {
  type CoreStatus,
  type Entry,
  type LogIndex,
  type Membership,
  type Message,
  membershipAfter,
  type NodeId,
  RaftCore,
  type RaftCoreOptions,
  type Ready,
  type SnapshotMeta,
  type Term,
} from '../../src/raft/core/index.ts';
import { MemoryDisk } from './memory-disk.ts';

export type CoreTuning = Pick<
  RaftCoreOptions,
  | 'electionTicks'
  | 'heartbeatTicks'
  | 'appendBytesMax'
  | 'inflightMax'
  | 'uncommittedBytesMax'
  | 'trace'
  | 'lease'
>;

export const TUNING: CoreTuning = {
  electionTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1024,
  inflightMax: 8,
  uncommittedBytesMax: 4096,
};

export interface CoreNodeOptions {
  readonly id: NodeId;
  readonly membership: Membership;
  readonly random: Pick<Random, 'below'>;
  readonly tuning: CoreTuning;
  readonly send: (message: Message) => void;
  /** Told of each entry applied, for checks across nodes. */
  readonly onApply?: (node: NodeId, entry: Entry) => void;
}

/** A core with a disk and a state machine in memory; the smallest driver that keeps the contract. */
export class CoreNode {
  readonly id: NodeId;
  readonly disk: MemoryDisk;
  core: RaftCore;
  alive = true;
  /** Writes are durable only when `persistOne` is called. */
  slowDisk = false;
  /** Taken committed entries are applied only when `applyAll` is called. */
  slowApply = false;
  /** What its clock says; without one it uses no leases. */
  nowMs: number | undefined;
  readonly reads: { readonly context: number; readonly index: number }[] = [];
  readonly failedReads: number[] = [];
  readonly readies: Ready[] = [];
  /** Payloads of applied commands. */
  commands: string[] = [];
  membership: Membership;
  #applied: SnapshotMeta;
  #writes: Ready[] = [];
  #applies: Entry[] = [];
  readonly #options: CoreNodeOptions;

  constructor(options: CoreNodeOptions) {
    this.#options = options;
    this.id = options.id;
    this.membership = options.membership;
    this.disk = new MemoryDisk(options.membership);
    this.#applied = this.disk.base;
    this.disk.snapshotOf = () => (this.#applied.index > 0 ? this.#applied : undefined);
    this.core = this.#boot(0);
  }

  #boot(silentTicks: number): RaftCore {
    const { id, random, tuning } = this.#options;
    const { base, hard } = this.disk;
    return new RaftCore({
      ...tuning,
      id,
      random,
      log: this.disk,
      initial: { hard, membership: base.membership, applied: base.index, silentTicks },
    });
  }

  get status(): CoreStatus {
    return this.core.status();
  }

  get applied(): SnapshotMeta {
    return this.#applied;
  }

  /** Starts anew from what is durable; the state machine from its snapshot. */
  restart(): void {
    this.crash();
    this.alive = true;
    const { lease, electionTicks } = this.#options.tuning;
    this.core = this.#boot(lease === undefined ? 0 : electionTicks);
  }

  crash(): void {
    this.alive = false;
    this.#writes = [];
    this.#applies = [];
    this.disk.powerCut();
    this.#applied = this.disk.base;
    this.membership = this.#applied.membership;
    this.commands = this.snapshots.get(this.#applied.index) ?? [];
  }

  /** Contents of the state machine by the index they stand for, shared by all nodes of a cluster. */
  snapshots = new Map<number, string[]>();

  /** The state machine's present state becomes the start of the log. */
  compact(): void {
    this.snapshots.set(this.#applied.index, this.commands);
    this.disk.compact(this.#applied);
  }

  /** Takes one Ready and does what a driver must. @returns whether there was one */
  handleReady(): boolean {
    if (!this.alive || !this.core.hasReady(this.nowMs)) return false;
    const ready = this.core.ready(this.nowMs);
    this.readies.push(ready);
    this.disk.take(ready);
    for (const message of ready.sendNow) this.#send(message);
    this.#writes.push(ready);
    if (!this.slowDisk) while (this.persistOne());
    this.#applies.push(...ready.apply);
    if (!this.slowApply) this.applyAll();
    this.reads.push(...ready.reads);
    this.failedReads.push(...ready.failedReads);
    return true;
  }

  #send(message: Message): void {
    // The state that a snapshot message stands for travels with it.
    if (message.kind === 'snapshot') this.snapshots.set(message.meta.index, this.commands);
    this.#options.send(message);
  }

  get writesWaiting(): number {
    return this.#writes.length;
  }

  /** The oldest write becomes durable. */
  persistOne(): boolean {
    const ready = this.#writes.shift();
    if (ready === undefined) return false;
    this.disk.persist(ready);
    if (ready.snapshot !== undefined) this.#install(ready.snapshot);
    for (const message of ready.afterPersist) this.#send(message);
    if (ready.receipt !== undefined) this.core.storageAppended(ready.receipt);
    return true;
  }

  #install(meta: SnapshotMeta): void {
    const state = this.snapshots.get(meta.index);
    if (state === undefined) throw new Error(`no snapshot of ${meta.index}`);
    this.commands = state;
    this.#applied = meta;
    this.membership = meta.membership;
    this.#applies = [];
  }

  applyAll(): void {
    const entries = this.#applies;
    this.#applies = [];
    const last = entries.at(-1);
    if (last === undefined) return;
    const expected = this.#applied.index + 1;
    if (entries[0]?.index !== expected) throw new Error(`applied out of order at ${expected}`);
    for (const entry of entries) {
      this.#options.onApply?.(this.id, entry);
      if (entry.kind === 'command') this.commands = [...this.commands, utf8Text(entry.data)];
    }
    this.membership = membershipAfter(this.membership, entries);
    this.#applied = { index: last.index, term: last.term, membership: this.membership };
    this.core.applied(last.index);
  }

  propose(...commands: readonly string[]) {
    return this.core.propose(commands.map((command) => utf8Bytes(command)));
  }

  /** Entries this node holds, as `term:payload`, `term:` for a leader's empty one. */
  log(): readonly string[] {
    const { firstIndex, lastIndex } = this.status;
    const entries: readonly Entry[] =
      this.disk.entries(firstIndex, (lastIndex + 1) as LogIndex, Number.MAX_SAFE_INTEGER) ?? [];
    return entries.map(
      (entry) => `${entry.term}:${entry.kind === 'command' ? utf8Text(entry.data) : entry.kind}`,
    );
  }
}

export const nodeId = (id: number): NodeId => id as NodeId;
export const logIndex = (index: number): LogIndex => index as LogIndex;
export const term = (value: number): Term => value as Term;
/** What a vote says is committed, when it is not about that. */
export const NOTHING_COMMITTED = { commit: logIndex(0), commitTerm: term(0) };
