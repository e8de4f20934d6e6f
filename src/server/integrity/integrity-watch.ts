import { type Clock, hasCode, hex, StrongroomError, withTimeout } from '../../lib/index.ts';
import type { Revision, Store } from '../../store/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import { type IntegrityMetrics, integrityMetrics } from './integrity-metrics.ts';
import {
  DIGEST_FORMAT,
  DISPUTE_RECORD,
  INTEGRITY_PREFIX,
  parseDispute,
  parseScrub,
  parseVerdict,
  SCRUB_RECORD,
  VERDICT_RECORD,
  type Verdict,
} from './integrity-records.ts';

/** A node that is further behind is asked again in the next round. */
const APPLIED_WAIT_MS = 2_000;

export interface IntegrityWatchOptions {
  readonly store: Store;
  readonly records: SystemRecords;
  readonly node: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** A pass over the state reads at most so many. */
  readonly recordsPerSecondMax: number;
  /** Takes the node out: it must neither serve nor vote until its state was made anew. */
  readonly outOfService: (because: StrongroomError) => void;
}

/** This node's digests at a revision, in hex; empty where it cannot say. */
export interface Digests {
  readonly history: string;
  readonly content: string;
}

/**
 * On every node: says what its state's digests are, reads all of its state when the log says so, and
 * takes the node out when it is damaged, or differs from what a majority has.
 */
export class IntegrityWatch implements AsyncDisposable {
  readonly #options: IntegrityWatchOptions;
  readonly #metrics: IntegrityMetrics;
  readonly #stop = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #seen = new Map<string, number>();
  /** What the last pass found, and the majority's word on it if that came sooner. */
  #content: { readonly revision: number; readonly digest: string } | undefined;
  #verdict: Verdict | undefined;
  #reading: Promise<void> = Promise.resolve();
  #passes = 0;

  constructor(options: IntegrityWatchOptions) {
    this.#options = options;
    this.#metrics = integrityMetrics(options.metrics);
    // What was said before this process began is about a state that it has not seen.
    for (const name of [VERDICT_RECORD, DISPUTE_RECORD, SCRUB_RECORD]) this.#isNew(name);
    this.#unsubscribe = options.records.onChange(INTEGRITY_PREFIX, () => this.#look());
  }

  /** Waits a little for `revision`; `scrub` is the revision of the pass that is asked about. */
  async digests(
    asked: { readonly format: number; readonly revision: number; readonly scrub: number },
    signal: AbortSignal,
  ): Promise<Digests> {
    if (asked.format !== DIGEST_FORMAT) return { history: '', content: '' };
    const { store } = this.#options;
    const revision = asked.revision as Revision;
    await store.whenApplied(revision, withTimeout(signal, APPLIED_WAIT_MS)).catch(() => undefined);
    const history = store.digestAt(revision);
    if (history !== undefined) this.#metrics.comparedIndex.set(revision);
    return {
      history: history === undefined ? '' : hex(history),
      content: this.#content?.revision === asked.scrub ? this.#content.digest : '',
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#stop.abort();
    await this.#reading;
  }

  #look(): void {
    try {
      const scrub = this.#isNew(SCRUB_RECORD);
      if (scrub !== undefined) {
        parseScrub(scrub.value);
        this.#read(scrub.revision);
      }
      const verdict = this.#isNew(VERDICT_RECORD);
      if (verdict !== undefined) {
        const said = parseVerdict(verdict.value);
        if (said.format === DIGEST_FORMAT) this.#judged(said);
      }
      const dispute = this.#isNew(DISPUTE_RECORD);
      if (dispute !== undefined) this.#disputed(dispute.value);
    } catch (error) {
      // One that a later version wrote is not for this one.
      this.#options.log.warn({ error: String(error) }, 'Passed over an integrity record');
    }
  }

  #isNew(name: string): { readonly value: Uint8Array; readonly revision: number } | undefined {
    const found = this.#options.records.get(name);
    if (found === undefined || this.#seen.get(name) === found.revision) return undefined;
    this.#seen.set(name, found.revision);
    return found;
  }

  #judged(verdict: Verdict): void {
    if (verdict.of === 'content') {
      this.#verdict = verdict;
      this.#compareContent();
      return;
    }
    const own = this.#options.store.digestAt(verdict.revision as Revision);
    if (own !== undefined && hex(own) !== verdict.digest) this.#differs(verdict);
  }

  #compareContent(): void {
    const [verdict, own] = [this.#verdict, this.#content];
    if (verdict === undefined || own?.revision !== verdict.revision) return;
    if (own.digest !== verdict.digest) this.#differs(verdict);
  }

  #differs({ of, revision }: Verdict): void {
    const { node, outOfService } = this.#options;
    outOfService(
      new StrongroomError(
        'store.diverged',
        `The state of node ${node} differs from that of most voters at revision ${revision}. It serves and votes no more until its state was made anew`,
        { details: { node, revision, of } },
      ),
    );
  }

  /** No majority: whoever cannot read its own state is the one that is wrong. */
  #disputed(value: Uint8Array): void {
    const dispute = parseDispute(value);
    const { node, log, store } = this.#options;
    if (dispute.digests[String(node)] === undefined) return;
    log.error(
      { revision: dispute.revision, nodes: Object.keys(dispute.digests).join(' ') },
      'The states of voters differ, and no majority can say which is wrong: reads its own whole',
    );
    this.#alone(async (signal) => {
      await store.verify(signal);
      log.error({ revision: dispute.revision }, 'The own state is whole; another must be wrong');
    });
  }

  #read(revision: number): void {
    const { store, clock, log, recordsPerSecondMax } = this.#options;
    // Begun at once, in the midst of what the log applied: later it could not be seen any more.
    const { signal } = this.#stop;
    const startMs = clock.monotonicMs();
    let records = 0;
    const content = store.contentAt(revision as Revision, signal, async (count) => {
      records += count;
      const aheadMs = (records / recordsPerSecondMax) * 1000 - (clock.monotonicMs() - startMs);
      if (aheadMs > 1) await new Promise<void>((resolve) => clock.after(aheadMs, resolve));
    });
    const pass = ++this.#passes;
    this.#alone(async () => {
      const { digest, records: found } = await content;
      // A later pass has begun meanwhile, and its word counts.
      if (pass !== this.#passes) return;
      this.#content = { revision, digest: hex(digest) };
      const durationMs = clock.monotonicMs() - startMs;
      this.#metrics.verifyDuration.set(durationMs / 1000);
      log.info({ revision, records: found, durationMs }, 'Read the whole state: it is intact');
      this.#compareContent();
    });
  }

  #alone(pass: (signal: AbortSignal) => Promise<void>): void {
    const { clock, outOfService, log } = this.#options;
    const run = async () => {
      try {
        await pass(this.#stop.signal);
        this.#metrics.verifyOk.set(1);
        this.#metrics.verifyTime.set(clock.wallMs() / 1000);
      } catch (error) {
        // With a snapshot comes what was said before it, about a state that was never here.
        if (this.#stop.signal.aborted || hasCode(error, 'store.compacted')) return;
        if (!hasCode(error, 'store.corrupt')) {
          log.error({ error: String(error) }, 'A pass over the whole state did not end');
          return;
        }
        this.#metrics.verifyOk.set(0);
        this.#metrics.verifyTime.set(clock.wallMs() / 1000);
        outOfService(error);
      }
    };
    this.#reading = Promise.all([this.#reading, run()]).then(() => undefined);
  }
}
