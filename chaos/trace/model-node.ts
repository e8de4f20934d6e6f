import type { TraceEvent, TraceMessage } from '../../src/raft/core/index.ts';

export interface ModelEntry {
  readonly term: number;
  /** Set for a membership change: what it does to whom. */
  readonly change?: { readonly nid: string; readonly action: string };
}

export interface DurableState {
  readonly term: number;
  readonly vote: string;
  readonly commit: number;
  readonly log: readonly ModelEntry[];
}

/** A message with what the trace leaves out: the entries, and which `Ready` let it go. */
export interface ModelMessage extends TraceMessage {
  readonly body: readonly ModelEntry[];
  readonly ready: number;
}

/** A node of the reference model: exactly the state that Raft's figure 2 names, as plain data. */
export class ModelNode {
  readonly id: string;
  term = 0;
  vote = '0';
  commit = 0;
  role: TraceEvent['role'] = 'StateFollower';
  log: readonly ModelEntry[] = [];
  conf: readonly string[] = [];
  /** Index of the last membership change that took effect. */
  confApplied = 0;
  granted = new Set<string>();
  match = new Map<string, number>();
  /** The request that is being answered. */
  inbox: ModelMessage | undefined;
  pending: ModelMessage[] = [];
  /** The state at each `Ready`; a crash brings back one of those from `durableFrom` on. */
  readonly durable: DurableState[] = [];
  durableFrom = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Entries count from 1; the place before the first has term 0. */
  termAt(index: number): number | undefined {
    return index === 0 ? 0 : this.log[index - 1]?.term;
  }

  get lastTerm(): number {
    return this.termAt(this.log.length) ?? 0;
  }

  isUpToDate(index: number, term: number): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.log.length);
  }

  hasQuorum(agrees: (voter: string) => boolean): boolean {
    return this.conf.filter(agrees).length > this.conf.length / 2;
  }

  snapshot(): DurableState {
    const { term, vote, commit, log } = this;
    return { term, vote, commit, log };
  }
}
