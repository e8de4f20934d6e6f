import { StrongroomError } from '../../../lib/index.ts';
import type { Entry, HardState, LogIndex, Term } from '../../core/index.ts';
import type { Disk } from '../disk.ts';
import { EntryWindow } from './entry-window.ts';
import { type ScanEnd, type ScannedFrame, scanSegment } from './frames.ts';
import { requireSameNode } from './high-water.ts';
import { type LogBase, type LogIdentity, readRecords } from './records.ts';

/** Where the entries of one write lie; those from the next run's `first` on are replaced there. */
export interface Run {
  readonly first: LogIndex;
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface Segment {
  readonly number: number;
  bytes: number;
  /** Highest index ever written to it: below the base of the log, it can go. */
  lastIndex: LogIndex;
}

export interface RecoveredLog {
  readonly window: EntryWindow;
  readonly hard: HardState;
  /** Where the log was begun, or a snapshot last started it over; unknown once that was removed. */
  readonly origin: LogBase | undefined;
  readonly runs: Run[];
  readonly segments: Segment[];
  readonly chain: number;
  /** Nothing was ever written. */
  readonly empty: boolean;
  /** What was acknowledged once and cannot be read any more: a sentence for the log. */
  readonly damage: string | undefined;
}

export const NO_HARD_STATE: HardState = {
  term: 0 as Term,
  vote: undefined,
  commit: 0 as LogIndex,
};

export function segmentName(number: number): string {
  return `segment-${number.toString().padStart(10, '0')}.log`;
}

/**
 * Reads a log directory back, checking every byte. A write that was torn by a crash is cut away.
 * Where synced content is damaged, the log ends before it and the rest is kept aside, renamed.
 *
 * @param keepFrom entries from here on must be held in memory: they are not yet applied.
 * @throws StrongroomError `raft.wrong-cluster`
 */
export async function recoverLog(
  disk: Disk,
  identity: LogIdentity,
  options: {
    readonly keepFrom: LogIndex;
    readonly windowBytesMax: number;
    readonly onDamage: (damage: string) => Promise<void>;
  },
): Promise<RecoveredLog> {
  const replay = new Replay(identity, options);
  const numbers = (await disk.list()).flatMap((name) => {
    const match = /^segment-(\d{10})\.log$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
  for (const [at, number] of numbers.entries()) {
    const before = numbers[at - 1];
    if (before !== undefined && number !== before + 1) {
      replay.damage = `segment ${before + 1} is missing`;
    } else {
      const bytes = asBuffer(await disk.read(segmentName(number)));
      const end = replay.segment(bytes, number);
      const isLast = at === numbers.length - 1;
      if (end.kind === 'torn' && isLast) await cutTorn(disk, number, end.offset);
      else if (end.kind !== 'clean') {
        const reason = end.kind === 'damaged' ? end.reason : 'it ends too early';
        replay.damage = `${segmentName(number)} is damaged at byte ${end.offset}: ${reason}`;
        await options.onDamage(replay.damage);
        await cutDamaged(disk, number, end.offset);
      }
    }
    if (replay.damage !== undefined) {
      await options.onDamage(replay.damage);
      await setAside(disk, numbers.slice(at + (replay.keptOf(number) ? 1 : 0)));
      break;
    }
  }
  return replay.result(numbers.length === 0);
}

/** Nothing was said that built on a write that did not end, so it goes without a trace. */
async function cutTorn(disk: Disk, number: number, offset: number): Promise<void> {
  if (offset === 0) await disk.remove(segmentName(number));
  else await disk.truncate(segmentName(number), offset);
  await disk.syncDirectory();
}

/** Ends a damaged segment before the damage; the whole of it is kept beside. */
async function cutDamaged(disk: Disk, number: number, offset: number): Promise<void> {
  const name = segmentName(number);
  if (offset === 0) return;
  await disk.overwrite(`${name}.damaged`, await disk.read(name));
  await disk.truncate(name, offset);
  await disk.syncDirectory();
}

/** What comes after damage is evidence, not log: it must never be read again as part of it. */
async function setAside(disk: Disk, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    await disk.rename(segmentName(number), `${segmentName(number)}.damaged`);
  }
  if (numbers.length > 0) await disk.syncDirectory();
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

class Replay {
  readonly #identity: LogIdentity;
  readonly #keepFrom: LogIndex;
  readonly #windowBytesMax: number;
  readonly #segments: Segment[] = [];
  #runs: Run[] = [];
  #window = new EntryWindow(0 as LogIndex, 0 as Term);
  #hard = NO_HARD_STATE;
  #origin: LogBase | undefined;
  #chain: number | undefined;
  #begun = false;
  damage: string | undefined;

  constructor(
    identity: LogIdentity,
    options: { readonly keepFrom: LogIndex; readonly windowBytesMax: number },
  ) {
    this.#identity = identity;
    this.#keepFrom = options.keepFrom;
    this.#windowBytesMax = options.windowBytesMax;
  }

  segment(bytes: Buffer, number: number): ScanEnd {
    const scanned = scanSegment(bytes, number, this.#chain, (frame) => this.#frame(frame));
    this.#chain = scanned.chain;
    return scanned.end;
  }

  keptOf(number: number): boolean {
    return this.#segments.at(-1)?.number === number;
  }

  result(empty: boolean): RecoveredLog {
    return {
      window: this.#window,
      hard: this.#hard,
      origin: this.#origin,
      runs: this.#runs,
      segments: this.#segments,
      chain: this.#chain ?? 0,
      empty,
      damage: this.damage,
    };
  }

  #frame(frame: ScannedFrame): void {
    if (frame.offset === 0) {
      this.#segments.push({ number: frame.segment, bytes: 0, lastIndex: 0 as LogIndex });
    }
    const segment = this.#segments.at(-1);
    if (segment === undefined || segment.number !== frame.segment) {
      throw corrupt(`segment ${frame.segment} has no beginning`);
    }
    segment.bytes = frame.offset + frame.bytes;
    const entries: Entry[] = [];
    let first: LogIndex | undefined;
    for (const record of readRecords(frame.body)) {
      if (record.kind === 'hard') this.#hard = record.hard;
      else if (record.kind === 'segment') this.#segmentRecord(record);
      else {
        first = first === undefined || record.entry.index < first ? record.entry.index : first;
        entries.push(record.entry);
      }
    }
    if (first === undefined) return;
    for (const entry of entries) {
      this.#append(entry);
      if (entry.index > segment.lastIndex) segment.lastIndex = entry.index;
    }
    noteRun(this.#runs, {
      first,
      segment: frame.segment,
      offset: frame.offset,
      bytes: frame.bytes,
    });
    this.#window.evict((this.#keepFrom - 1) as LogIndex, this.#windowBytesMax);
  }

  #segmentRecord(record: {
    readonly identity: LogIdentity;
    readonly base: LogBase;
    readonly reset: boolean;
  }): void {
    requireSameNode(record.identity, this.#identity);
    if (record.reset) this.#origin = record.base;
    if (this.#begun && !record.reset) return;
    this.#begun = true;
    this.#runs = [];
    this.#window.reset(record.base.index, record.base.term);
  }

  #append(entry: Entry): void {
    if (entry.index <= this.#window.baseIndex) {
      // Segments before this one were removed, and it replaces what they held: all of that was
      // applied, so the state machine's position stands in for the term that is not known here.
      this.#window.reset((entry.index - 1) as LogIndex, 0 as Term);
    }
    if (entry.index > this.#window.lastIndex + 1) {
      throw corrupt(`entry ${entry.index} follows entry ${this.#window.lastIndex}`);
    }
    if (entry.index <= this.#window.lastIndex) this.#window.cutFrom(entry.index);
    this.#window.append([entry]);
  }
}

/** Adds the newest run; those that it replaces whole are dropped. */
export function noteRun(runs: Run[], run: Run): void {
  while ((runs.at(-1)?.first ?? -1) >= run.first) runs.pop();
  runs.push(run);
}

function corrupt(what: string): StrongroomError {
  return new StrongroomError(
    'raft.log-corrupt',
    `Cannot read the Raft log: ${what}, though every checksum is right; remove this node, and add it under a new id with an empty directory`,
  );
}
