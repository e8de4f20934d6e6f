import { crc32 } from 'node:zlib';
import type { Message } from '../../src/raft/core/index.ts';
import type { Entry, NodeId, Proposed, RaftStatus } from '../../src/raft/index.ts';

/** Something that must never happen has happened. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What binds its sender to its term: the term must be on its disk before. */
const PROMISES: ReadonlySet<Message['kind']> = new Set([
  'vote',
  'vote-response',
  'append',
  'append-response',
]);

interface Applied {
  readonly digest: number;
  readonly data: number;
  readonly term: number;
}

/**
 * Sees everything that every node does, and holds it against what Raft promises (Ongaro's
 * dissertation, figure 3.2) and what clients were told.
 */
export class Checker {
  /** Entry by entry what was applied first anywhere; everyone must apply the same. */
  readonly #applied = new Map<number, Applied>();
  readonly #leaderOf = new Map<number, NodeId>();
  readonly #termOf = new Map<NodeId, number>();
  /** Writes that were refused for certain, by the checksum of their bytes. */
  readonly #refused = new Set<number>();
  readonly #appliedData = new Set<number>();
  /** What each node said of its votes: `node/term` to whom. */
  readonly #votes = new Map<string, NodeId>();
  readonly #saidTerm = new Map<NodeId, number>();
  #appliedUpTo = 0;
  #ackedUpTo = 0;
  acked = 0;
  reads = 0;

  get ackedUpTo(): number {
    return this.#ackedUpTo;
  }

  /** State Machine Safety, and through the chained digest Log Matching of all that was applied. */
  applied(node: NodeId, entry: Entry, digest: number): void {
    const data = crc32(entry.data);
    const first = this.#applied.get(entry.index);
    if (first === undefined) {
      this.#appliedUpTo = Math.max(this.#appliedUpTo, entry.index);
      this.#applied.set(entry.index, { digest, data, term: entry.term });
      if (entry.kind === 'command') this.#appliedOnce(data, entry);
      return;
    }
    if (first.digest !== digest || first.term !== entry.term) {
      throw new Violation(
        `Node ${node} applied another entry ${entry.index} (term ${entry.term}, others ${first.term})`,
      );
    }
  }

  #appliedOnce(data: number, entry: Entry): void {
    if (this.#refused.has(data)) {
      throw new Violation(`Entry ${entry.index} was applied, but its client was told: refused`);
    }
    if (this.#appliedData.has(data)) {
      throw new Violation(`Entry ${entry.index} was applied before, at another index`);
    }
    this.#appliedData.add(data);
  }

  /** A vote that was given, and a term that was acted in, survive every crash. */
  sent(message: Message): void {
    const { from, to, term, kind } = message;
    if (!PROMISES.has(kind)) return;
    this.#saidTerm.set(from, Math.max(term, this.#saidTerm.get(from) ?? 0));
    if (kind !== 'vote-response' || message.reject) return;
    const other = this.#votes.get(`${from}/${term}`);
    if (other !== undefined && other !== to) {
      throw new Violation(`Node ${from} voted for ${other} and for ${to} in term ${term}`);
    }
    this.#votes.set(`${from}/${term}`, to);
  }

  started(status: RaftStatus): void {
    const said = this.#saidTerm.get(status.node) ?? 0;
    this.#termOf.set(status.node, status.term);
    if (status.term >= said) return;
    throw new Violation(
      `Node ${status.node} came back in term ${status.term}, it had acted in ${said}`,
    );
  }

  /** Election Safety; a node's term never goes back while it lives. */
  status(status: RaftStatus): void {
    const { node, term, role } = status;
    const before = this.#termOf.get(node) ?? 0;
    if (term < before) throw new Violation(`Node ${node} went from term ${before} to ${term}`);
    this.#termOf.set(node, term);
    if (status.applied > status.commit && role !== 'stopped' && role !== 'recovering') {
      // A snapshot may be ahead of the commit index for the moment in which it is installed.
      if (status.applied > this.#appliedUpTo) {
        throw new Violation(`Node ${node} applied ${status.applied}, which nobody committed`);
      }
    }
    if (role !== 'leader') return;
    const other = this.#leaderOf.get(term);
    if (other !== undefined && other !== node) {
      throw new Violation(`Nodes ${other} and ${node} both lead term ${term}`);
    }
    this.#leaderOf.set(term, node);
  }

  /** Nothing is acknowledged that was not applied as it was sent. */
  acknowledged(data: Uint8Array, proposed: Proposed): void {
    const applied = this.#applied.get(proposed.index);
    if (applied?.data !== crc32(data) || applied.digest !== proposed.result) {
      throw new Violation(`Entry ${proposed.index} was acknowledged, but is another one`);
    }
    this.acked += 1;
    if (proposed.index > this.#ackedUpTo) this.#ackedUpTo = proposed.index;
  }

  refusedForCertain(data: Uint8Array): void {
    const sum = crc32(data);
    if (this.#appliedData.has(sum)) {
      throw new Violation('A write was refused for certain, and applied');
    }
    this.#refused.add(sum);
  }

  /** Linearizability of reads: what was acknowledged before the read began is seen by it. */
  read(ackedBefore: number, index: number): void {
    if (index < ackedBefore) {
      throw new Violation(`A read saw entry ${index}, but ${ackedBefore} was acknowledged before`);
    }
    this.reads += 1;
  }

  /** Leader Completeness, at the end: nobody who is up lacks what was acknowledged. */
  finalState(node: NodeId, index: number, digest: number): void {
    const applied = this.#applied.get(index);
    if (index < this.#ackedUpTo || applied?.digest !== digest) {
      throw new Violation(
        `Node ${node} ends at entry ${index}, but ${this.#ackedUpTo} was acknowledged, or its state differs`,
      );
    }
  }
}
