import { StrongroomError, unreachable } from '../../../lib/index.ts';
import type {
  CommitPoint,
  Entry,
  EntryKind,
  LogIndex,
  Membership,
  Message,
  MessageKind,
  NodeId,
  SnapshotMeta,
  Term,
} from '../../core/index.ts';

/**
 * Messages as bytes: one byte of kind, then numbers as base-128 varints (least significant first),
 * bytes with their length before them. Several follow one another in a frame. A peer of another
 * version is refused at the greeting, so there are no optional fields.
 */
const KINDS: readonly MessageKind[] = [
  'append',
  'append-response',
  'heartbeat',
  'heartbeat-response',
  'pre-vote',
  'pre-vote-response',
  'vote',
  'vote-response',
  'snapshot',
  'timeout-now',
  'transfer-leader',
  'read-index',
  'read-index-response',
  'removed',
];
const KIND_NUMBER = new Map(KINDS.map((kind, number) => [kind, number]));
const ENTRY_KINDS: readonly EntryKind[] = ['command', 'empty', 'membership'];

/** Marks of a heartbeat's answer; a node that knows no promises makes and takes only the first. */
const RECOVERING = 1;
const PROMISES = 2;

const NUMBER_BYTES_MAX = 8;
/** Fields of any message beside its entries and node lists, at their longest. */
const FIXED_BYTES_MAX = 1 + 8 * NUMBER_BYTES_MAX;
const ENTRY_FIXED_BYTES_MAX = 1 + 2 * NUMBER_BYTES_MAX + 5;
/** Entries of one message and nodes of one list: no honest peer sends more. */
const COUNT_MAX = 1 << 20;

/** An upper bound of what `message` takes, in bytes. */
export function messageBytesMax(message: Message): number {
  if (message.kind === 'append') {
    let bytes = FIXED_BYTES_MAX;
    for (const entry of message.entries) bytes += ENTRY_FIXED_BYTES_MAX + entry.data.length;
    return bytes;
  }
  if (message.kind === 'snapshot') {
    const { voters, learners, removed } = message.meta.membership;
    const ids = voters.length + learners.length + removed.length + 3;
    return FIXED_BYTES_MAX + ids * NUMBER_BYTES_MAX;
  }
  return FIXED_BYTES_MAX;
}

export function encodeMessages(messages: readonly Message[]): Uint8Array {
  const out = new Writer(messages.reduce((sum, message) => sum + messageBytesMax(message), 0));
  for (const message of messages) writeMessage(message, out);
  return out.finish();
}

/**
 * The data of entries are views into `bytes`, which is little else in a frame that has any; or into
 * one copy of it, where `bytes` is itself a small part of something larger that they would keep.
 *
 * @throws StrongroomError `request.invalid` for anything that `encodeMessages` does not make.
 */
export function decodeMessages(bytes: Uint8Array): readonly Message[] {
  const isSmallPart = bytes.buffer.byteLength > 2 * bytes.length;
  const from = new Reader(isSmallPart ? new Uint8Array(bytes) : bytes);
  const messages: Message[] = [];
  while (!from.atEnd()) messages.push(readMessage(from));
  return messages;
}

function writeMessage(message: Message, out: Writer): void {
  out.byte(KIND_NUMBER.get(message.kind) ?? 0);
  out.number(message.from);
  out.number(message.to);
  out.number(message.term);
  switch (message.kind) {
    case 'append':
      out.number(message.prevIndex);
      out.number(message.prevTerm);
      out.number(message.commit);
      out.number(message.entries.length);
      for (const entry of message.entries) {
        out.byte(ENTRY_KINDS.indexOf(entry.kind));
        out.number(entry.term);
        out.number(entry.index);
        out.bytes(entry.data);
      }
      return;
    case 'append-response':
      out.number(message.index);
      out.flag(message.reject);
      out.number(message.hintIndex);
      out.number(message.hintTerm);
      return;
    case 'heartbeat':
      out.number(message.commit);
      out.number(message.context);
      return;
    case 'heartbeat-response':
      out.number(message.context);
      out.byte(
        (message.recovering === true ? RECOVERING : 0) +
          (message.promiseMs === undefined ? 0 : PROMISES),
      );
      if (message.promiseMs !== undefined) out.number(message.promiseMs);
      return;
    case 'read-index':
      out.number(message.context);
      return;
    case 'pre-vote':
    case 'vote':
      out.number(message.lastIndex);
      out.number(message.lastTerm);
      out.flag(message.transfer);
      writeCommitPoint(message, out);
      return;
    case 'pre-vote-response':
    case 'vote-response':
      out.flag(message.reject);
      writeCommitPoint(message, out);
      return;
    case 'snapshot':
      writeMeta(message.meta, out);
      return;
    case 'transfer-leader':
      out.number(message.target);
      return;
    case 'read-index-response':
      out.number(message.context);
      out.number(message.index);
      return;
    case 'timeout-now':
    case 'removed':
      return;
    default:
      unreachable(message);
  }
}

function readMessage(from: Reader): Message {
  const kind = KINDS[from.byte()];
  if (kind === undefined) throw malformed('a message of an unknown kind');
  const addressed = {
    from: from.number() as NodeId,
    to: from.number() as NodeId,
    term: from.number() as Term,
  };
  switch (kind) {
    case 'append':
      return {
        kind,
        ...addressed,
        prevIndex: from.number() as LogIndex,
        prevTerm: from.number() as Term,
        commit: from.number() as LogIndex,
        entries: readEntries(from),
      };
    case 'append-response':
      return {
        kind,
        ...addressed,
        index: from.number() as LogIndex,
        reject: from.flag(),
        hintIndex: from.number() as LogIndex,
        hintTerm: from.number() as Term,
      };
    case 'heartbeat':
      return {
        kind,
        ...addressed,
        commit: from.number() as LogIndex,
        context: from.number(),
      };
    case 'heartbeat-response': {
      const context = from.number();
      const marks = from.byte();
      if (marks > RECOVERING + PROMISES) throw malformed('unknown marks of an answer');
      return {
        kind,
        ...addressed,
        context,
        ...(marks % 2 === RECOVERING ? { recovering: true } : {}),
        ...(marks >= PROMISES ? { promiseMs: from.number() } : {}),
      };
    }
    case 'read-index':
      return { kind, ...addressed, context: from.number() };
    case 'pre-vote':
    case 'vote':
      return {
        kind,
        ...addressed,
        lastIndex: from.number() as LogIndex,
        lastTerm: from.number() as Term,
        transfer: from.flag(),
        ...readCommitPoint(from),
      };
    case 'pre-vote-response':
    case 'vote-response':
      return { kind, ...addressed, reject: from.flag(), ...readCommitPoint(from) };
    case 'snapshot':
      return { kind, ...addressed, meta: readMeta(from) };
    case 'transfer-leader':
      return { kind, ...addressed, target: from.number() as NodeId };
    case 'read-index-response':
      return { kind, ...addressed, context: from.number(), index: from.number() as LogIndex };
    case 'timeout-now':
    case 'removed':
      return { kind, ...addressed };
    default:
      return unreachable(kind);
  }
}

function writeCommitPoint({ commit, commitTerm }: CommitPoint, out: Writer): void {
  out.number(commit);
  out.number(commitTerm);
}

function readCommitPoint(from: Reader): CommitPoint {
  return { commit: from.number() as LogIndex, commitTerm: from.number() as Term };
}

function readEntries(from: Reader): readonly Entry[] {
  const count = from.count();
  const entries: Entry[] = [];
  for (let at = 0; at < count; at++) {
    const kind = ENTRY_KINDS[from.byte()];
    if (kind === undefined) throw malformed('an entry of an unknown kind');
    const term = from.number() as Term;
    const index = from.number() as LogIndex;
    entries.push({ term, index, kind, data: from.bytes() });
  }
  return entries;
}

function writeMeta(meta: SnapshotMeta, out: Writer): void {
  out.number(meta.index);
  out.number(meta.term);
  const { voters, learners, removed } = meta.membership;
  for (const ids of [voters, learners, removed]) {
    out.number(ids.length);
    for (const id of ids) out.number(id);
  }
}

function readMeta(from: Reader): SnapshotMeta {
  const index = from.number() as LogIndex;
  const term = from.number() as Term;
  const ids = (): readonly NodeId[] => {
    const count = from.count();
    const out: NodeId[] = [];
    for (let at = 0; at < count; at++) out.push(from.number() as NodeId);
    return out;
  };
  const membership: Membership = { voters: ids(), learners: ids(), removed: ids() };
  return { index, term, membership };
}

function malformed(what: string): StrongroomError {
  return new StrongroomError('request.invalid', `Cannot read a peer's frame: it holds ${what}`);
}

class Writer {
  readonly #out: Buffer;
  #at = 0;

  constructor(bytesMax: number) {
    this.#out = Buffer.allocUnsafe(bytesMax);
  }

  byte(value: number): void {
    this.#out[this.#at++] = value;
  }

  flag(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#out[this.#at++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#out[this.#at++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.#out.set(value, this.#at);
    this.#at += value.length;
  }

  finish(): Uint8Array {
    return this.#out.subarray(0, this.#at);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw malformed('less than it promises');
    return value;
  }

  flag(): boolean {
    const value = this.byte();
    if (value > 1) throw malformed('a flag that is neither 0 nor 1');
    return value === 1;
  }

  number(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < NUMBER_BYTES_MAX; count++) {
      const byte = this.byte();
      value += (byte % 0x80) * scale;
      if (byte < 0x80) {
        // One number has one form.
        if (byte === 0 && count > 0) throw malformed('a number with needless bytes');
        if (!Number.isSafeInteger(value)) throw malformed('a number beyond 2^53');
        return value;
      }
      scale *= 0x80;
    }
    throw malformed('a number that is too long');
  }

  count(): number {
    const value = this.number();
    if (value > COUNT_MAX) throw malformed('a list that is too long');
    return value;
  }

  bytes(): Uint8Array {
    const length = this.number();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed('less than it promises');
    // Not a `Buffer`: its `slice` would not copy.
    const { buffer, byteOffset } = this.#bytes;
    const value = new Uint8Array(buffer, byteOffset + this.#at, length);
    this.#at = end;
    return value;
  }
}
