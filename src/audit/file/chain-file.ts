import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { StrongroomError } from '../../lib/index.ts';
import { type ChainHead, LINE_BYTES_MAX, readChainedLine, sha256 } from '../verify/chained-line.ts';

const NEWLINE = 0x0a;
/** Holds the last whole line and the longest torn one behind it. */
const TAIL_BYTES = 2 * LINE_BYTES_MAX + 2;

/** The end of a file whose last write was interrupted. */
export interface TornEnd {
  readonly bytes: number;
  readonly sha256: string;
}

/** An open audit file and how much of it is whole lines. */
export interface ChainFile {
  readonly handle: FileHandle;
  /** Bytes up to the end of the last whole line. */
  wholeBytes: number;
  /** Identifies the file whatever its name. */
  readonly inode: bigint;
  /** `undefined` when the file has no line. */
  readonly last: ChainHead | undefined;
  readonly torn: TornEnd | undefined;
}

/**
 * Opens or creates an audit file (mode 0600) and finds where its chain stands. Bytes after the last
 * newline are cut off and told of: their record was never acknowledged.
 *
 * @throws StrongroomError `audit.chain-broken` when its last line is no intact record: the chain
 * cannot go on from something that was changed.
 */
export async function openChainFile(path: string): Promise<ChainFile> {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
  const handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw new Error('It is not a regular file');
    await handle.chmod(0o600);
    const size = Number(stat.size);
    const tail = await readTail(handle, size);
    const end = tail.lastIndexOf(NEWLINE) + 1;
    const torn = tail.subarray(end);
    const wholeBytes = size - torn.length;
    if (end === 0 && torn.length >= LINE_BYTES_MAX) throw broken(path);
    const last = end === 0 ? undefined : readLast(tail.subarray(0, end - 1), path);
    if (torn.length > 0) await handle.truncate(wholeBytes);
    return {
      handle,
      wholeBytes,
      inode: stat.ino,
      last,
      torn: torn.length === 0 ? undefined : { bytes: torn.length, sha256: sha256(torn) },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readTail(handle: FileHandle, size: number): Promise<Buffer> {
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  let filled = 0;
  while (filled < tail.length) {
    const at = size - tail.length + filled;
    const { bytesRead } = await handle.read(tail, filled, tail.length - filled, at);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return tail.subarray(0, filled);
}

function readLast(lines: Buffer, path: string): ChainHead {
  const last = readChainedLine(lines.subarray(lines.lastIndexOf(NEWLINE) + 1));
  if (last === undefined || !last.isIntact) throw broken(path);
  return { sequence: last.sequence, hash: last.hash };
}

function broken(path: string): StrongroomError {
  return new StrongroomError(
    'audit.chain-broken',
    `Cannot go on with the audit file ${path}: its last line is no intact record, keep it as evidence and move it away`,
  );
}
