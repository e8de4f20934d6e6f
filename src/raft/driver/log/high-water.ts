import { crc32 } from 'node:zlib';
import { StrongroomError, utf8Bytes } from '../../../lib/index.ts';
import type { HardState, LogIndex, NodeId, Term } from '../../core/index.ts';
import type { Disk } from '../disk.ts';
import type { LogIdentity } from './records.ts';

/**
 * What this node has promised at least, kept beside the log and not in it: a log that ends below it
 * was rolled back, cut or replaced. It may lag behind the log, and never runs ahead of it.
 */
export interface HighWater {
  readonly term: Term;
  readonly vote: NodeId | undefined;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Starts of this node, this one included. */
  readonly incarnation: number;
  /** Part of what was promised is lost: no vote before the leader's log has been caught up with. */
  readonly recovering: boolean;
  /** The longest silence that any process of this node promised to a leader; see `VoteSilence`. */
  readonly promisedMs: number;
}

export const NO_HIGH_WATER: HighWater = {
  term: 0 as Term,
  vote: undefined,
  lastIndex: 0 as LogIndex,
  lastTerm: 0 as Term,
  incarnation: 0,
  recovering: false,
  promisedMs: 0,
};

/** Two files written in turn: a crash while one is written leaves the other. */
const SLOTS = ['high-water-a', 'high-water-b'] as const;

/** Reads and writes the high-water mark. One call at a time. */
export class HighWaterFile {
  readonly #disk: Disk;
  readonly #identity: LogIdentity;
  #current: HighWater | undefined;
  #writes: number;
  #directorySynced = false;

  private constructor(
    disk: Disk,
    identity: LogIdentity,
    found: { readonly mark: HighWater; readonly writes: number } | undefined,
  ) {
    this.#disk = disk;
    this.#identity = identity;
    this.#current = found?.mark;
    this.#writes = found?.writes ?? 0;
  }

  /** @throws StrongroomError `raft.wrong-cluster` when it is another node's. */
  static async open(disk: Disk, identity: LogIdentity): Promise<HighWaterFile> {
    const names = await disk.list();
    let newest: { readonly mark: HighWater; readonly writes: number } | undefined;
    for (const slot of SLOTS) {
      if (!names.includes(slot)) continue;
      const read = decode(await disk.read(slot));
      if (read === undefined) continue;
      requireSameNode(read.identity, identity);
      if (newest === undefined || read.writes > newest.writes) newest = read;
    }
    return new HighWaterFile(disk, identity, newest);
  }

  /** `undefined` on the first start, and when both copies are lost. */
  current(): HighWater | undefined {
    return this.#current;
  }

  /** Resolves when it is durable. */
  async write(mark: HighWater): Promise<void> {
    this.#writes += 1;
    const slot = SLOTS[this.#writes % 2 === 0 ? 0 : 1];
    await this.#disk.overwrite(slot, encode(mark, this.#identity, this.#writes));
    if (!this.#directorySynced) {
      await this.#disk.syncDirectory();
      // Each of the two files must be found again, so the first two writes sync the directory.
      this.#directorySynced = this.#writes >= 2;
    }
    this.#current = mark;
  }
}

/** The incarnation that the next start of this node has: one more than the last. */
export async function nextIncarnation(sidecar: Disk, identity: LogIdentity): Promise<number> {
  const file = await HighWaterFile.open(sidecar, identity);
  return (file.current()?.incarnation ?? 0) + 1;
}

/**
 * Whether a log holds all that was promised. The entry at the mark is in every log that was not cut
 * or rolled back, because the mark is lowered before anything below it is replaced.
 *
 * @param termAt of an entry of the log, `undefined` when it is compacted.
 */
export function holdsPromises(
  mark: HighWater,
  hard: HardState,
  lastIndex: LogIndex,
  termAt: (index: LogIndex) => Term | undefined,
): boolean {
  if (hard.term < mark.term) return false;
  if (hard.term === mark.term && mark.vote !== undefined && hard.vote !== mark.vote) return false;
  if (lastIndex < mark.lastIndex) return false;
  return (termAt(mark.lastIndex) ?? mark.lastTerm) === mark.lastTerm;
}

function encode(mark: HighWater, identity: LogIdentity, writes: number): Uint8Array {
  const text = JSON.stringify({ ...mark, ...identity, vote: mark.vote ?? 0, writes });
  return utf8Bytes(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`);
}

function decode(
  bytes: Uint8Array,
):
  | { readonly mark: HighWater; readonly identity: LogIdentity; readonly writes: number }
  | undefined {
  const line = Buffer.from(bytes).toString('latin1');
  const text = line.slice(9, -1);
  if (line.slice(0, 9) !== `${crc32(text).toString(16).padStart(8, '0')} `) return undefined;
  // The checksum held, so this is what `encode` wrote.
  const value = JSON.parse(text) as Omit<HighWater, 'vote'> &
    LogIdentity & { vote: NodeId; writes: number };
  const { clusterId, groupId, node, writes, vote, ...rest } = value;
  return {
    // An older mark knows no promises.
    mark: { ...NO_HIGH_WATER, ...rest, vote: vote === 0 ? undefined : vote },
    identity: { clusterId, groupId, node },
    writes,
  };
}

/** @throws StrongroomError `raft.wrong-cluster` */
export function requireSameNode(found: LogIdentity, expected: LogIdentity): void {
  if (
    found.clusterId === expected.clusterId &&
    found.groupId === expected.groupId &&
    found.node === expected.node
  ) {
    return;
  }
  throw new StrongroomError(
    'raft.wrong-cluster',
    `Cannot open the Raft log as node ${expected.node} of cluster ${expected.clusterId}, group ${expected.groupId}: the data directory belongs to node ${found.node} of cluster ${found.clusterId}, group ${found.groupId}`,
  );
}
