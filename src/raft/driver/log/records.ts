import { InvariantError, invariant, StrongroomError, unreachable } from '../../../lib/index.ts';
import type {
  Entry,
  EntryKind,
  HardState,
  LogIndex,
  Membership,
  NodeId,
  Term,
} from '../../core/index.ts';

/** What a log is the log of. A directory of another cluster, group or node is refused. */
export interface LogIdentity {
  readonly clusterId: string;
  readonly groupId: number;
  readonly node: NodeId;
}

/** Where a log begins: the entry before its first, and who counted there. */
export interface LogBase {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

/** One thing said in the log. Replayed in order; a later entry of an index replaces all from it on. */
export type LogRecord =
  | {
      /** First record of every segment. `reset`: nothing that was written before it counts. */
      readonly kind: 'segment';
      readonly identity: LogIdentity;
      readonly base: LogBase;
      readonly reset: boolean;
    }
  | { readonly kind: 'hard'; readonly hard: HardState }
  | { readonly kind: 'entry'; readonly entry: Entry };

const TYPE = { segment: 1, hard: 2, entry: 3 } as const;
const ENTRY_KINDS: readonly EntryKind[] = ['command', 'empty', 'membership'];
const ENTRY_FIXED_BYTES = 1 + 1 + 6 + 6 + 4;
const HARD_BYTES = 1 + 6 + 6 + 6;
/** Numbers are six bytes, big-endian: 2^48 terms, indexes and nodes. */
const NUMBER_BYTES = 6;
const NUMBER_END = 2 ** 48;

/** Room that `record` takes, in bytes. */
export function recordBytes(record: LogRecord): number {
  switch (record.kind) {
    case 'entry':
      return ENTRY_FIXED_BYTES + record.entry.data.length;
    case 'hard':
      return HARD_BYTES;
    case 'segment': {
      const { voters, learners, removed } = record.base.membership;
      const ids = voters.length + learners.length + removed.length;
      return 1 + 1 + 16 + 4 + 3 * NUMBER_BYTES + 3 * 4 + ids * NUMBER_BYTES;
    }
    default:
      return unreachable(record);
  }
}

/** Writes `record` at `at`. @returns where the next one goes */
export function writeRecord(record: LogRecord, out: Buffer, at: number): number {
  switch (record.kind) {
    case 'entry':
      return writeEntry(record.entry, out, at);
    case 'hard': {
      let next = out.writeUInt8(TYPE.hard, at);
      next = writeNumber(record.hard.term, out, next);
      next = writeNumber(record.hard.vote ?? 0, out, next);
      return writeNumber(record.hard.commit, out, next);
    }
    case 'segment':
      return writeSegment(record, out, at);
    default:
      return unreachable(record);
  }
}

/**
 * Reads the records of a frame whose checksum held.
 * @throws StrongroomError `raft.log-corrupt` when they are of a format this version does not know.
 */
export function* readRecords(body: Buffer): Generator<LogRecord> {
  const cursor = new Cursor(body);
  while (!cursor.atEnd()) yield readRecord(cursor);
}

function readRecord(cursor: Cursor): LogRecord {
  const type = cursor.byte();
  if (type === TYPE.entry) {
    const kind = ENTRY_KINDS[cursor.byte()];
    const term = cursor.number() as Term;
    const index = cursor.number() as LogIndex;
    const data = cursor.take(cursor.uint32());
    if (kind === undefined) throw unknownFormat('an unknown kind of entry');
    return { kind: 'entry', entry: { term, index, kind, data } };
  }
  if (type === TYPE.hard) {
    const term = cursor.number() as Term;
    const vote = cursor.number();
    const commit = cursor.number() as LogIndex;
    return {
      kind: 'hard',
      hard: { term, vote: vote === 0 ? undefined : (vote as NodeId), commit },
    };
  }
  if (type === TYPE.segment) return readSegment(cursor);
  throw unknownFormat(`a record of unknown type ${type}`);
}

function writeEntry(entry: Entry, out: Buffer, at: number): number {
  let next = out.writeUInt8(TYPE.entry, at);
  next = out.writeUInt8(ENTRY_KINDS.indexOf(entry.kind), next);
  next = writeNumber(entry.term, out, next);
  next = writeNumber(entry.index, out, next);
  next = out.writeUInt32BE(entry.data.length, next);
  out.set(entry.data, next);
  return next + entry.data.length;
}

function writeSegment(
  record: Extract<LogRecord, { kind: 'segment' }>,
  out: Buffer,
  at: number,
): number {
  const { identity, base } = record;
  let next = out.writeUInt8(TYPE.segment, at);
  next = out.writeUInt8(record.reset ? 1 : 0, next);
  next += out.write(identity.clusterId, next, 16, 'hex');
  next = out.writeUInt32BE(identity.groupId, next);
  next = writeNumber(identity.node, out, next);
  next = writeNumber(base.index, out, next);
  next = writeNumber(base.term, out, next);
  for (const ids of [base.membership.voters, base.membership.learners, base.membership.removed]) {
    next = out.writeUInt32BE(ids.length, next);
    for (const id of ids) next = writeNumber(id, out, next);
  }
  return next;
}

function readSegment(cursor: Cursor): LogRecord {
  const reset = cursor.byte() === 1;
  const clusterId = Buffer.from(cursor.take(16)).toString('hex');
  const groupId = cursor.uint32();
  const node = cursor.number() as NodeId;
  const index = cursor.number() as LogIndex;
  const term = cursor.number() as Term;
  const ids = (): NodeId[] => {
    const count = cursor.uint32();
    return Array.from({ length: count }, () => cursor.number() as NodeId);
  };
  const membership = { voters: ids(), learners: ids(), removed: ids() };
  return {
    kind: 'segment',
    identity: { clusterId, groupId, node },
    base: { index, term, membership },
    reset,
  };
}

function writeNumber(value: number, out: Buffer, at: number): number {
  invariant(
    Number.isSafeInteger(value) && value >= 0 && value < NUMBER_END,
    'Number out of range',
    {
      value,
    },
  );
  return out.writeUIntBE(value, at, NUMBER_BYTES);
}

function unknownFormat(what: string): StrongroomError {
  return new StrongroomError(
    'raft.log-corrupt',
    `Cannot read the Raft log: it holds ${what}, though its checksum is right; it was written by a newer version`,
  );
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#advance(1)] ?? 0;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  number(): number {
    return this.#bytes.readUIntBE(this.#advance(NUMBER_BYTES), NUMBER_BYTES);
  }

  take(count: number): Uint8Array {
    const start = this.#advance(count);
    return this.#bytes.subarray(start, start + count);
  }

  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) {
      throw new InvariantError('A log record reaches past its frame', { start, count });
    }
    this.#at = start + count;
    return start;
  }
}
