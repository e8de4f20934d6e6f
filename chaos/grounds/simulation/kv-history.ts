import { utf8Bytes, utf8Text } from '../../../src/lib/index.ts';
import type { Entry } from '../../../src/raft/index.ts';

/** A write as it lies in the simulated log. */
export interface Command {
  /** Of the client's call; a retry has the same. */
  readonly id: string;
  /** Which try of the call: no two entries are the same bytes. */
  readonly attempt: number;
  readonly key: string;
  readonly value: string;
  readonly cas?: number;
}

export type WriteResult =
  | { readonly kind: 'put'; readonly version: number; readonly revision: number }
  | { readonly kind: 'cas-mismatch' };

export interface StoredVersion {
  readonly value: string;
  readonly version: number;
  readonly revision: number;
}

export const encodeCommand = (command: Command): Uint8Array => utf8Bytes(JSON.stringify(command));

/**
 * Versioned secrets as a function of the log: what any node holds is what the entries up to its
 * applied index made. Kept once for all nodes, because the checker of the simulation already proves
 * that every node applies the same entry at an index; which index a node has reached is its own.
 */
export class KvHistory {
  readonly #versions = new Map<string, StoredVersion[]>();
  /** By the id of the call: a retry of what was done is not done again. */
  readonly #results = new Map<string, WriteResult>();
  #upTo = 0;

  /** Told of every entry that any node applies; each index counts once. */
  applied(entry: Entry): void {
    if (entry.index <= this.#upTo) return;
    this.#upTo = entry.index;
    if (entry.kind !== 'command') return;
    const command = JSON.parse(utf8Text(entry.data)) as Command;
    if (!this.#results.has(command.id)) this.#results.set(command.id, this.#do(command, entry));
  }

  /** What the call came to. @throws Error when nobody has applied it. */
  resultOf(id: string): WriteResult {
    const result = this.#results.get(id);
    if (result === undefined) throw new Error(`Nobody has applied call ${id}`);
    return result;
  }

  /** The secret as a node sees it that has applied everything up to `index`. */
  read(key: string, index: number): StoredVersion | undefined {
    return this.#versions.get(key)?.findLast((version) => version.revision <= index);
  }

  #do({ key, value, cas }: Command, { index }: Entry): WriteResult {
    const versions = this.#versions.get(key) ?? [];
    const present = versions.at(-1)?.version ?? 0;
    if (cas !== undefined && cas !== present) return { kind: 'cas-mismatch' };
    const made = { value, version: present + 1, revision: index };
    versions.push(made);
    this.#versions.set(key, versions);
    return { kind: 'put', version: made.version, revision: made.revision };
  }
}
