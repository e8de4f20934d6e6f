import { setMaxListeners } from 'node:events';
import type { Random } from '../../src/lib/index.ts';
import { checkerNamed } from '../checkers/catalogue.ts';
import type { Judgement } from '../checkers/checker.ts';
import type { Cluster } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import { History } from '../history/history.ts';
import type { Assertion } from '../scenario/assertion.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { workloadNamed } from '../workloads/catalogue.ts';
import type { Work, Workload } from '../workloads/workload.ts';
import { Injector, occurrencesOf } from './injector.ts';
import { judgeAssertion, type Measured } from './measure.ts';
import type { Progress } from './progress.ts';
import type {
  AssertionRecord,
  CheckRecord,
  FaultRecord,
  Phase,
  PhaseRecord,
  Sample,
  Verdict,
  WorkloadRecord,
} from './record.ts';
import { writeRecovery } from './recovery.ts';
import { Sampler } from './sampler.ts';
import { verdictOf } from './verdict.ts';

export type PhaseTimes = readonly PhaseRecord[];

/** One use of a workload in this run. */
interface Use {
  readonly name: string;
  readonly label: string;
  readonly workload: Workload;
  readonly history: History;
  readonly work: Work;
}

interface RunParts {
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** The course of one run: steady state, faults, settling, checks. What it found stays readable. */
export class ScenarioRun {
  readonly uses: readonly Use[];
  steadyState: readonly AssertionRecord[] = [];
  objectives: readonly AssertionRecord[] = [];
  readonly checks: CheckRecord[] = [];
  faults: readonly FaultRecord[] = [];
  aborted: AssertionRecord | undefined;
  readonly #scenario: Scenario;
  readonly #cluster: Cluster;
  readonly #parts: RunParts;
  readonly #sampler: Sampler;
  readonly #phases: PhaseRecord[] = [];
  readonly #startedAt: number;
  readonly #workOver = new AbortController();
  /** Ends the timeline: by hand, or by an abort condition. */
  readonly #timelineOver = new AbortController();

  constructor(scenario: Scenario, cluster: Cluster, random: Random, parts: RunParts) {
    this.#scenario = scenario;
    this.#cluster = cluster;
    this.#parts = parts;
    this.#startedAt = cluster.clock.monotonicMs();
    // Every client waits for it.
    setMaxListeners(0, this.#workOver.signal);
    this.uses = scenario.workloads.map(({ workload: name, label, parameters }) => {
      const history = new History(cluster.clock, this.#startedAt);
      const work = { cluster, parameters, label, history, random, signal: this.#workOver.signal };
      return { name, label, workload: workloadNamed(name), history, work };
    });
    this.#sampler = new Sampler(
      cluster,
      this.uses.map((use) => use.history),
      () => this.#now(),
    );
  }

  get samples(): readonly Sample[] {
    return this.#sampler.samples;
  }

  /** Runs it to its end; an interruption ends it early, and heals. */
  async go(): Promise<PhaseTimes> {
    const interrupt = () => this.#timelineOver.abort();
    this.#parts.signal.addEventListener('abort', interrupt, { once: true });
    if (this.#parts.signal.aborted) interrupt();
    const samplingOver = new AbortController();
    let background: Promise<unknown> = Promise.resolve();
    try {
      await this.#phase('start', async () => {
        for (const { workload, work } of this.uses) await workload.prepare?.(work);
      });
      background = Promise.all([
        this.#sampler.run(samplingOver.signal, (sample) => this.#sampled(sample)),
        ...this.uses.map(({ workload, work }) => workload.run(work)),
      ]);
      // Awaited below; until then a failure of it must not end the process.
      background.catch(() => this.#timelineOver.abort());
      await this.#phase('steady', () => this.#watchSteadyState());
      if (this.#isSteady()) {
        await this.#phase('timeline', () => this.#doFaults());
        await this.#phase('settle', () => this.#settle());
      }
    } finally {
      this.#parts.signal.removeEventListener('abort', interrupt);
      this.#workOver.abort();
      samplingOver.abort();
      await background;
    }
    if (this.#isSteady() && !this.#interrupted) await this.#phase('check', () => this.#check());
    return this.#phases;
  }

  get broken(): string | undefined {
    return this.#cluster.broken?.();
  }

  verdict(): Verdict {
    return verdictOf(this, { interrupted: this.#interrupted });
  }

  workloadRecords(): readonly WorkloadRecord[] {
    return this.uses.map(({ name, label, work, history }) => {
      const count = (outcome: string) =>
        history.entries.filter((entry) => entry.outcome === outcome).length;
      const errors: Record<string, number> = {};
      for (const { error } of history.entries)
        if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1;
      return {
        workload: name,
        label,
        parameters: work.parameters,
        history: `histories/${label}.ndjson`,
        ok: count('ok'),
        maybe: count('maybe'),
        no: count('no'),
        errors,
      };
    });
  }

  get #interrupted(): boolean {
    return this.#parts.signal.aborted;
  }

  #isSteady(): boolean {
    return this.steadyState.every((one) => one.holds);
  }

  async #phase(phase: Phase, what: () => Promise<void>): Promise<void> {
    const from = this.#now();
    this.#parts.progress({ kind: 'phase', phase, at: from });
    try {
      await what();
    } finally {
      this.#phases.push({ phase, from, to: this.#now() });
    }
  }

  async #watchSteadyState(): Promise<void> {
    const from = this.#now();
    await sleep(this.#cluster.clock, this.#scenario.steadyMs, this.#timelineOver.signal);
    if (this.#interrupted) return;
    this.steadyState = this.#judge('steady state', this.#scenario.steadyState, from);
  }

  async #doFaults(): Promise<void> {
    const { timeline, durationMs } = this.#scenario;
    const injector = new Injector({
      cluster: this.#cluster,
      now: () => this.#now(),
      progress: this.#parts.progress,
    });
    const occurrences = occurrencesOf(timeline, this.#parts.seed);
    try {
      await injector.run(occurrences, durationMs, this.#timelineOver.signal);
    } finally {
      this.faults = injector.records;
      // Whatever an undo has missed: the ground knows everything that was done to it.
      await this.#cluster.heal();
    }
  }

  async #settle(): Promise<void> {
    await sleep(this.#cluster.clock, this.#scenario.settleMs, this.#parts.signal);
  }

  async #check(): Promise<void> {
    for (const { workload, work } of this.uses) await workload.conclude?.(work);
    const final = await this.#cluster.observe();
    this.faults = withRecoveries(
      this.faults,
      this.uses.map((use) => use.history.entries),
      this.#now(),
    );
    const from = this.#phases.find((one) => one.phase === 'timeline')?.from ?? 0;
    this.objectives = this.#judge('objective', this.#scenario.objectives, from);
    for (const name of this.#scenario.checks) {
      const checker = checkerNamed(name);
      const judge = checker.check({
        histories: this.uses
          .filter((use) => checker.judges.includes(use.name))
          .map(({ name: workload, label, work, history }) => ({
            workload,
            label,
            parameters: work.parameters,
            entries: history.entries,
          })),
        cluster: this.#cluster,
        faults: this.faults,
        final,
        signal: this.#parts.signal,
      });
      // One that fails has proved nothing, and the others still have their say.
      const judgement = await judge.catch((error: unknown): Judgement => {
        const why = error instanceof Error ? error.message : String(error);
        return { kind: 'undecided', because: `the check itself failed: ${why}` };
      });
      const result = { name, summary: checker.summary, ...judgement };
      this.checks.push(result);
      this.#parts.progress({ kind: 'check', result });
    }
  }

  #judge(what: string, assertions: readonly Assertion[], fromMs: number) {
    return assertions.map((assertion) => {
      const result = judgeAssertion(assertion, this.#measured(fromMs));
      this.#parts.progress({ kind: 'assertion', what, result });
      return result;
    });
  }

  #measured(fromMs: number): Measured {
    return {
      fromMs,
      toMs: this.#now(),
      samples: this.samples,
      entries: this.uses.flatMap((use) => use.history.entries),
      faults: this.faults,
    };
  }

  #sampled(sample: Sample): void {
    this.#parts.progress({ kind: 'sample', sample });
    const timelineRuns = this.#phases.at(-1)?.phase === 'steady' && this.#isSteady();
    if (!timelineRuns || this.aborted !== undefined) return;
    const sinceFaults = this.#now() - (this.#phases.at(-1)?.to ?? 0);
    for (const assertion of this.#scenario.aborts) {
      const forMs = assertion.forMs ?? 0;
      if (sinceFaults < forMs) continue;
      const result = judgeAssertion(assertion, this.#measured(this.#now() - Math.max(1, forMs)));
      if (!result.holds) continue;
      this.aborted = result;
      this.#parts.progress({ kind: 'assertion', what: 'abort', result });
      this.#timelineOver.abort();
      return;
    }
  }

  #now(): number {
    return this.#cluster.clock.monotonicMs() - this.#startedAt;
  }
}

/** Each fault with its recovery times: a fault's time is over where the next one begins. */
function withRecoveries(
  faults: readonly FaultRecord[],
  histories: Parameters<typeof writeRecovery>[0],
  endMs: number,
): readonly FaultRecord[] {
  return faults.map((fault) => {
    const next = Math.min(
      endMs,
      ...faults.map((one) => one.injectedAt).filter((at) => at > fault.injectedAt),
    );
    const { injectedAt, healedAt } = fault;
    const injection = writeRecovery(histories, injectedAt, Math.min(healedAt ?? next, next));
    const heal = healedAt === undefined ? undefined : writeRecovery(histories, healedAt, next);
    if (injection === undefined) return fault;
    return { ...fault, recovery: { injection, ...(heal === undefined ? {} : { heal }) } };
  });
}
