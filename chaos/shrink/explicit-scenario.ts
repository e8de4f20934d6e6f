import { parseDocument, stringify } from 'yaml';
import { occurrencesOf } from '../runner/injector.ts';
import { parseScenario } from '../scenario/parse-scenario.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Vocabulary } from '../scenario/vocabulary.ts';

type Plain = Readonly<Record<string, unknown>>;

/** A scenario in pieces that can be left out: one entry for each doing of a fault. */
export interface Pieces {
  readonly steps: readonly Plain[];
  readonly durationMs: number;
  /** Of every workload that has the parameter; undefined: as the file says. */
  readonly clients: number | undefined;
}

/**
 * The scenario with everything that the seed decides written out: each doing of a fault is a step
 * of its own, at its time, with the number that its chance is drawn from. So some can be left out,
 * and the rest still does exactly what it did.
 */
export function piecesOf(scenario: Scenario, seed: number): Pieces {
  const raw = plainOf(scenario);
  const written = raw['timeline'] as readonly Plain[] | undefined;
  const steps = occurrencesOf(scenario.timeline, seed).map((occurrence) => {
    const at = scenario.timeline.indexOf(occurrence.step);
    const { from: _from, every: _every, until: _until, ...step } = written?.[at] ?? {};
    return { ...step, at: `${occurrence.atMs}ms`, draw: occurrence.seed };
  });
  return { steps, durationMs: scenario.durationMs, clients: undefined };
}

/** A scenario file of those pieces. @throws StrongroomError `config.invalid` when it would be none. */
export function putTogether(scenario: Scenario, pieces: Pieces, words: Vocabulary): Scenario {
  const raw = plainOf(scenario);
  const workloads = (raw['workloads'] as readonly Plain[]).map((use) =>
    pieces.clients === undefined
      ? use
      : { ...use, with: { ...(use['with'] as Plain | undefined), clients: pieces.clients } },
  );
  const text = stringify({
    ...raw,
    duration: `${pieces.durationMs}ms`,
    workloads,
    timeline: pieces.steps,
  });
  return parseScenario(scenario.file, text, words);
}

const plainOf = (scenario: Scenario): Plain => parseDocument(scenario.text).toJS() as Plain;
