import { setMaxListeners } from 'node:events';
import { SeededRandom } from '../../src/lib/index.ts';
import { faultNamed } from '../faults/catalogue.ts';
import type { Cluster } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import type { TimelineStep } from '../scenario/scenario.ts';
import { chooseNodes } from './choose-nodes.ts';
import { Trace } from './felt.ts';
import type { Progress } from './progress.ts';
import type { FaultRecord } from './record.ts';

/** How long a fault waits for the node that it is for: there may be no leader just now. */
const CHOOSE_MS = 10_000;
const CHOOSE_EVERY_MS = 100;
/** A fault that is to be healed stays so much longer until it was felt. */
const FELT_MS = 10_000;
/** After the heal: what a node says of a fault may be on its way still. */
const TOLD_MS = 2_000;
/** The longest time that a timer of Node takes: until the end of the timeline comes first. */
const FOREVER_MS = 2 ** 31 - 1;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** One planned doing of a fault. */
export interface Occurrence {
  readonly id: string;
  readonly step: TimelineStep;
  readonly atMs: number;
  /** Of its own, so that what it draws does not depend on what else goes on. */
  readonly seed: number;
}

/** Every occurrence of a timeline, in order of time. The same seed gives the same. */
export function occurrencesOf(
  timeline: readonly TimelineStep[],
  seed: number,
): readonly Occurrence[] {
  const all = timeline.flatMap((step) => {
    const times: number[] = [];
    for (let at = step.atMs; at < step.untilMs || at === step.atMs; at += step.everyMs ?? 0) {
      times.push(at);
      if (step.everyMs === undefined) break;
    }
    return times.map((atMs) => ({ step, atMs }));
  });
  const ordered = all.sort((a, b) => a.atMs - b.atMs);
  return ordered.map((one, at) => ({
    ...one,
    id: `${at + 1}-${one.step.fault}`,
    seed: one.step.draw ?? seed * 1_000 + at,
  }));
}

interface InjectorParts {
  readonly cluster: Cluster;
  readonly now: () => number;
  readonly progress: Progress;
}

/** Does the faults of a timeline and undoes them, whatever happens. */
export class Injector {
  readonly records: FaultRecord[] = [];
  readonly #parts: InjectorParts;

  constructor(parts: InjectorParts) {
    this.#parts = parts;
  }

  /**
   * Does all occurrences, each at its time from now on; resolves when `durationMs` are over, or the
   * signal has come, and every fault is undone.
   */
  async run(
    occurrences: readonly Occurrence[],
    durationMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#parts.cluster;
    const over = new AbortController();
    // Every occurrence waits for it.
    setMaxListeners(0, over.signal);
    const end = () => over.abort();
    signal.addEventListener('abort', end, { once: true });
    const timer = clock.after(durationMs, end);
    if (signal.aborted) end();
    try {
      await Promise.all(
        occurrences.map(async (one) => {
          await sleep(clock, one.atMs, over.signal);
          if (!over.signal.aborted) await this.#doOne(one, over.signal);
        }),
      );
      await sleep(clock, durationMs, over.signal);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
    }
  }

  async #doOne(occurrence: Occurrence, over: AbortSignal): Promise<void> {
    const { cluster, now, progress } = this.#parts;
    const { step, id } = occurrence;
    const fault = faultNamed(step.fault);
    const undos: { readonly what: string; readonly action: () => Promise<void> }[] = [];
    const random = new SeededRandom(occurrence.seed);
    const trace = new Trace(cluster, fault);
    const record: Mutable<FaultRecord> = {
      id,
      fault: step.fault,
      parameters: step.parameters,
      nodes: [],
      injectedAt: now(),
      effectiveAt: now(),
    };
    try {
      const chosen = await this.#choose(step, random, over);
      if (chosen === undefined) return;
      const { nodes, leader } = chosen;
      record.nodes = nodes;
      if (leader !== undefined) record.leader = leader;
      record.injectedAt = now();
      this.records.push(record);
      await trace.begin(nodes);
      progress({ kind: 'fault', what: 'injected', fault: step.fault, nodes, at: now() });
      await fault.inject({
        id,
        cluster,
        nodes,
        leader,
        random,
        parameters: step.parameters,
        signal: over,
        witness: (isFelt) => {
          record.felt = isFelt;
        },
        undo: (what, action) => undos.push({ what, action }),
      });
      record.effectiveAt = now();
      if (fault.lasting) {
        await sleep(cluster.clock, step.forMs ?? FOREVER_MS, over);
        // On a slow machine a node may only come to feel it now: it is not healed before, in reason.
        await trace.wasFelt(FELT_MS, over);
      }
    } catch (error) {
      record.error = textOf(error);
      if (!this.records.includes(record)) this.records.push(record);
    }
    if (fault.lasting && undos.length > 0) record.healedAt = now();
    for (const { what, action } of undos.reverse()) {
      try {
        await action();
      } catch (error) {
        // The others are undone all the same.
        record.error ??= `Cannot ${what}: ${textOf(error)}`;
      }
    }
    if (record.healedAt !== undefined) record.healthyAt = now();
    progress({ kind: 'fault', what: 'healed', fault: step.fault, nodes: record.nodes, at: now() });
    const felt = await trace.wasFelt(TOLD_MS, over);
    if (felt !== undefined) record.felt = felt;
    if (record.felt === false)
      progress({
        kind: 'fault',
        what: 'not felt',
        fault: step.fault,
        nodes: record.nodes,
        at: now(),
      });
  }

  async #choose(step: TimelineStep, random: SeededRandom, over: AbortSignal) {
    const { cluster, now } = this.#parts;
    const deadline = now() + CHOOSE_MS;
    while (!over.aborted) {
      const observation = await cluster.observe();
      const { leader } = observation;
      const nodes =
        step.on === undefined ? [] : chooseNodes(step.on, cluster.nodes, observation, random);
      if (nodes !== undefined) return { nodes, leader };
      if (now() > deadline)
        throw new Error(`There was no ${step.on?.kind ?? 'node'} within ${CHOOSE_MS} ms`);
      await sleep(cluster.clock, CHOOSE_EVERY_MS, over);
    }
    return undefined;
  }
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
