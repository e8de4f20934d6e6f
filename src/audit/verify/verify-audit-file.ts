import { createReadStream } from 'node:fs';
import { equalBytes, StrongroomError } from '../../lib/index.ts';
import type { AuditProblem } from './audit-problem.ts';
import { type ChainHead, EMPTY_CHAIN, LINE_BYTES_MAX, readChainedLine } from './chained-line.ts';
import { type SignedHead, verifyHead } from './signed-head.ts';

/** Problems told one by one; of more only the number is told. */
const PROBLEMS_MAX = 1000;
const NEWLINE = 0x0a;

export interface VerifyOptions {
  /** Heads of this node and sink that the cluster committed. */
  readonly heads?: readonly SignedHead[];
  /** The node's registered key: heads of any other are bad. Without it each head's own is taken. */
  readonly publicKey?: Uint8Array;
  /** The record that the files have to go back to; without it they may begin anywhere. */
  readonly firstRecord?: number;
  readonly signal?: AbortSignal;
}

export interface AuditVerdict {
  readonly isIntact: boolean;
  readonly records: number;
  /** The first record that was found. Above 1 when older files were not given. */
  readonly firstSequence: number | undefined;
  readonly last: ChainHead;
  /** Heads that the files were compared with. */
  readonly headsChecked: number;
  /** Heads of records before the first one here. */
  readonly headsBefore: number;
  /** Records after the newest head: nobody but the file itself vouches for their number. */
  readonly recordsAfterLastHead: number;
  readonly problems: readonly AuditProblem[];
  readonly problemCount: number;
}

/**
 * Reads audit files, oldest first, as one chain, and finds lines that were changed, dropped,
 * inserted, repeated, moved or cut off. A chain that was written anew from some record on fits in
 * itself; only the committed heads tell, so give them. Streams: memory does not grow with the files.
 *
 * @throws StrongroomError `audit.unreadable` when a file cannot be read.
 */
export async function verifyAuditFiles(
  paths: readonly string[],
  options: VerifyOptions = {},
): Promise<AuditVerdict> {
  const check = new ChainCheck(options);
  for (const path of paths) await readFileInto(check, path, options.signal);
  return check.verdict();
}

/** `verifyAuditFiles` of one file. */
export function verifyAuditFile(path: string, options: VerifyOptions = {}): Promise<AuditVerdict> {
  return verifyAuditFiles([path], options);
}

async function readFileInto(
  check: ChainCheck,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  let rest: Uint8Array = new Uint8Array(0);
  let line = 0;
  const stream = createReadStream(path, signal === undefined ? {} : { signal });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
        line += 1;
        const part = chunk.subarray(from, end);
        check.line(rest.length === 0 ? part : Buffer.concat([rest, part]), path, line);
        rest = new Uint8Array(0);
        from = end + 1;
      }
      // What is longer than a line can be is no record: only its beginning is kept, to say so.
      if (rest.length <= LINE_BYTES_MAX) rest = Buffer.concat([rest, chunk.subarray(from)]);
    }
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new StrongroomError('audit.unreadable', `Cannot read the audit file ${path}`, {
      cause: error,
    });
  }
  if (rest.length > 0) check.torn(path, line + 1);
}

class ChainCheck {
  readonly #problems: AuditProblem[] = [];
  #problemCount = 0;
  readonly #headsBySequence = new Map<number, SignedHead[]>();
  #firstSequence: number | undefined;
  readonly #firstWanted: number;
  #last: ChainHead = EMPTY_CHAIN;
  #records = 0;
  #headsChecked = 0;
  #lastHeadSequence = 0;

  constructor({ heads = [], publicKey, firstRecord = Number.MAX_SAFE_INTEGER }: VerifyOptions) {
    this.#firstWanted = firstRecord;
    for (const head of heads) {
      const isOfKey = publicKey === undefined || equalBytes(publicKey, head.publicKey);
      if (!isOfKey || !verifyHead(head)) {
        this.#tell({ kind: 'bad-head', sequence: head.sequence });
        continue;
      }
      const same = this.#headsBySequence.get(head.sequence) ?? [];
      this.#headsBySequence.set(head.sequence, [...same, head]);
      this.#lastHeadSequence = Math.max(this.#lastHeadSequence, head.sequence);
    }
  }

  line(bytes: Uint8Array, file: string, line: number): void {
    const found = bytes.length > LINE_BYTES_MAX ? undefined : readChainedLine(bytes);
    if (found === undefined) {
      this.#tell({ kind: 'unreadable', file, line });
      return;
    }
    const { sequence } = found;
    const expected = this.#last.sequence + 1;
    const isFirst = this.#firstSequence === undefined;
    if (!found.isIntact) this.#tell({ kind: 'changed', file, line, sequence });
    if (isFirst && sequence > 1) {
      // An older file was not given, which is in order as far as nobody wanted it.
      const missing = sequence - this.#firstWanted;
      if (missing > 0) this.#tell({ kind: 'dropped', file, line, sequence, missing });
    } else if (sequence > expected) {
      this.#tell({ kind: 'dropped', file, line, sequence, missing: sequence - expected });
    } else if (sequence < expected) {
      this.#tell({ kind: 'out-of-order', file, line, sequence, expected });
    } else if (found.previous !== this.#last.hash) {
      this.#tell({ kind: 'broken-link', file, line, sequence });
    }
    this.#firstSequence ??= sequence;
    this.#records += 1;
    // A record out of order is told and passed over, so that the next is compared with its true
    // neighbour. The claimed hash is gone on with, so that one changed record is told once.
    if (isFirst || sequence >= expected) this.#last = found;
    this.#compareHeads(found);
  }

  torn(file: string, line: number): void {
    this.#tell({ kind: 'torn-end', file, line });
  }

  verdict(): AuditVerdict {
    const first = this.#firstSequence ?? 1;
    if (this.#lastHeadSequence > this.#last.sequence) {
      this.#tell({ kind: 'cut', sequence: this.#lastHeadSequence, last: this.#last.sequence });
    }
    let headsBefore = 0;
    for (const sequence of this.#headsBySequence.keys()) if (sequence < first) headsBefore += 1;
    return {
      isIntact: this.#problemCount === 0,
      records: this.#records,
      firstSequence: this.#firstSequence,
      last: { sequence: this.#last.sequence, hash: this.#last.hash },
      headsChecked: this.#headsChecked,
      headsBefore,
      recordsAfterLastHead: Math.max(
        0,
        this.#last.sequence - Math.max(this.#lastHeadSequence, first - 1),
      ),
      problems: this.#problems,
      problemCount: this.#problemCount,
    };
  }

  #compareHeads(record: ChainHead): void {
    for (const head of this.#headsBySequence.get(record.sequence) ?? []) {
      this.#headsChecked += 1;
      if (head.hash !== record.hash) {
        this.#tell({ kind: 'head-differs', sequence: record.sequence });
      }
    }
  }

  #tell(problem: AuditProblem): void {
    this.#problemCount += 1;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
  }
}
