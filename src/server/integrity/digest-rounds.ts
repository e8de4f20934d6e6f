import type { Clock } from '../../lib/index.ts';
import type { Store } from '../../store/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import { type IntegrityMetrics, integrityMetrics } from './integrity-metrics.ts';
import {
  DIGEST_FORMAT,
  DISPUTE_RECORD,
  type Dispute,
  parseScrub,
  SCRUB_RECORD,
  VERDICT_RECORD,
  type Verdict,
} from './integrity-records.ts';
import type { Digests } from './integrity-watch.ts';
import { judge } from './judge.ts';

const WRITE_MS = 10_000;
/** A pass over the whole state may well take so long. */
const PASS_MS = 60_000;

export interface DigestRoundsOptions {
  readonly store: Store;
  readonly records: SystemRecords;
  readonly isLeader: () => boolean;
  readonly voters: () => readonly number[];
  /** What one voter's digests are, this node among them. @throws when it does not answer. */
  readonly ask: (
    node: number,
    asked: { readonly format: number; readonly revision: number; readonly scrub: number },
  ) => Promise<Digests>;
  /** 0: the whole state is never read by itself. */
  readonly verifyEveryMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/**
 * On the leader: has the voters' states compared at one revision, over the streams that are open
 * between nodes anyway. Only when some differ does the log carry a word of it: the verdict, which
 * every node, read replicas too, holds against its own state when it applies it.
 */
export class DigestRounds {
  readonly #options: DigestRoundsOptions;
  readonly #metrics: IntegrityMetrics;
  /** The passes that all voters, and that a majority of them, have ended. */
  #settledScrub = 0;
  #readScrub: number | undefined;
  /** What was said last, so that it is not said again at each round. */
  readonly #said = new Map<string, string>();

  constructor(options: DigestRoundsOptions) {
    this.#options = options;
    this.#metrics = integrityMetrics(options.metrics);
  }

  /** One comparison, and a pass over the whole state when one is due. */
  async round(): Promise<void> {
    const { isLeader, store, log } = this.#options;
    if (!isLeader()) {
      this.#metrics.unresolved.set(0);
      this.#readScrub = undefined;
      return;
    }
    const scrub = await this.#scrub();
    const { revision } = store;
    const voters = this.#options.voters();
    const answers = await Promise.all(
      voters.map(async (node) => {
        const asked = { format: DIGEST_FORMAT, revision, scrub };
        const digests = await this.#options.ask(node, asked).catch((error: unknown) => {
          log.debug({ node, error: String(error) }, 'A voter did not say what its state is');
        });
        return [node, digests] as const;
      }),
    );
    const of = (kind: keyof Digests) =>
      new Map(
        answers.flatMap(([node, digests]) => {
          const digest = digests?.[kind] ?? '';
          return digest === '' ? [] : [[node, digest] as const];
        }),
      );
    const history = await this.#settle('history', revision, voters.length, of('history'));
    const content = of('content');
    const read = await this.#settle('content', scrub, voters.length, content);
    if (2 * content.size > voters.length) this.#readScrub = scrub;
    if (content.size === voters.length) this.#settledScrub = scrub;
    this.#metrics.unresolved.set(history === 'tie' || read === 'tie' ? 1 : 0);
  }

  async #settle(
    of: keyof Digests,
    revision: number,
    voters: number,
    digests: ReadonlyMap<number, string>,
  ): Promise<'tie' | 'settled'> {
    const { log } = this.#options;
    const judgement = judge(voters, digests);
    switch (judgement.kind) {
      case 'agree':
        // Read replicas hold their own content against it; for the rest it says nothing new.
        if (of === 'content' && 2 * digests.size > voters && revision > this.#settledScrub) {
          const [digest = ''] = digests.values();
          await this.#say(VERDICT_RECORD, { format: DIGEST_FORMAT, of, revision, digest });
        }
        return 'settled';
      case 'minority': {
        const { digest, wrong } = judgement;
        log.error({ of, revision, wrong: wrong.join(' ') }, 'Voters differ from the majority');
        await this.#say(VERDICT_RECORD, { format: DIGEST_FORMAT, of, revision, digest });
        return 'settled';
      }
      case 'tie':
        log.error({ of, revision }, 'Voters differ, and no majority says which is wrong');
        await this.#say(DISPUTE_RECORD, { of, revision, digests: Object.fromEntries(digests) });
        return 'tie';
    }
  }

  /** Begins a pass when one is due. @returns the revision of the one that is awaited, 0 for none */
  async #scrub(): Promise<number> {
    const { records, clock, verifyEveryMs } = this.#options;
    const before = records.get(SCRUB_RECORD);
    const startedAtMs = before === undefined ? 0 : parseScrub(before.value).startedAtMs;
    const sinceMs = clock.wallMs() - startedAtMs;
    // One that this leader awaits is given time, lest none is ever ended. Of former ones it cannot
    // know whether the nodes were started again meanwhile.
    const wasRead = (this.#readScrub ?? before?.revision) === before?.revision;
    const dueMs = wasRead ? verifyEveryMs : verifyEveryMs + Math.max(verifyEveryMs, PASS_MS);
    if (verifyEveryMs > 0 && sinceMs >= dueMs) {
      await this.#write(SCRUB_RECORD, { startedAtMs: clock.wallMs() });
      this.#readScrub ??= 0;
    }
    const revision = records.get(SCRUB_RECORD)?.revision ?? 0;
    return revision === this.#settledScrub ? 0 : revision;
  }

  async #say(name: string, said: Verdict | Dispute): Promise<void> {
    // In a dispute each round has another revision: who stands against whom is what matters.
    const key = name === DISPUTE_RECORD ? `${name} ${said.of}` : name;
    const words = name === DISPUTE_RECORD ? disputants(said) : JSON.stringify(said);
    if (this.#said.get(key) === words) return;
    await this.#write(name, said);
    this.#said.set(key, words);
  }

  async #write(name: string, value: object): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const limit = AbortSignal.timeout(WRITE_MS);
    await this.#options.records.write(new Map([[name, bytes]]), new Map(), limit);
  }
}

function disputants(said: Verdict | Dispute): string {
  return 'digests' in said ? Object.keys(said.digests).sort().join(' ') : '';
}

/** The leader's own answer and those of others have one form. */
export function digestsOf(answer: Readonly<Record<string, unknown>>): Digests {
  const text = (value: unknown) =>
    typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value : '';
  return { history: text(answer['history']), content: text(answer['content']) };
}
