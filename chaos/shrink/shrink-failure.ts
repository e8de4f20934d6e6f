import type { RunRecord } from '../runner/record.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Vocabulary } from '../scenario/vocabulary.ts';
import { type Pieces, piecesOf, putTogether } from './explicit-scenario.ts';
import { minimise } from './minimise.ts';

const FAULT_TRIES_MAX = 60;
const DURATION_TRIES_MAX = 4;
const DURATION_MS_MIN = 1_000;

export interface ShrinkOptions {
  readonly seed: number;
  readonly words: Vocabulary;
  /** Runs a scenario with the seed; its record says how it failed, if it did. */
  readonly run: (scenario: Scenario) => Promise<Pick<RunRecord, 'verdict' | 'checks'>>;
  readonly say: (line: string) => void;
}

export interface Shrunk {
  readonly scenario: Scenario;
  readonly faults: number;
  readonly faultsBefore: number;
  readonly runs: number;
}

/**
 * Makes a failing run small: fewer faults, a shorter timeline, fewer clients, for as long as it
 * fails in the same way.
 *
 * @returns undefined when the failure does not come again with everything that the seed decides
 *   written out: it depends on something else, which is a fault of the ground.
 */
export async function shrinkFailure(
  scenario: Scenario,
  failed: Pick<RunRecord, 'verdict' | 'checks'>,
  options: ShrinkOptions,
): Promise<Shrunk | undefined> {
  const wanted = waysOfFailing(failed);
  let runs = 0;
  const fails = async (pieces: Pieces) => {
    runs += 1;
    const record = await options.run(putTogether(scenario, pieces, options.words));
    return waysOfFailing(record).some((way) => wanted.includes(way));
  };
  let best = piecesOf(scenario, options.seed);
  const faultsBefore = best.steps.length;
  if (!(await fails(best))) return undefined;
  const whole = best;
  const steps = await minimise(
    best.steps,
    (some) => fails({ ...whole, steps: some }),
    FAULT_TRIES_MAX,
  );
  best = { ...best, steps };
  options.say(`${faultsBefore} faults, of which ${steps.length} are needed`);
  best = await shorten(best, fails);
  best = await withFewerClients(best, fails);
  options.say(
    `${best.durationMs} ms of faults${best.clients === undefined ? '' : `, ${best.clients} clients`}`,
  );
  const shrunk = putTogether(scenario, best, options.words);
  return { scenario: shrunk, faults: steps.length, faultsBefore, runs };
}

/** The ends of a timeline that nothing happens in, and then half of it, while that is enough. */
async function shorten(
  pieces: Pieces,
  fails: (pieces: Pieces) => Promise<boolean>,
): Promise<Pieces> {
  let best = pieces;
  const lastMs = Math.max(
    0,
    ...pieces.steps.map((step) => Number.parseInt(String(step['at']), 10)),
  );
  for (let tries = 0; tries < DURATION_TRIES_MAX; tries++) {
    const halfMs = Math.round(best.durationMs / 2);
    const durationMs = Math.max(lastMs + DURATION_MS_MIN, halfMs);
    if (durationMs >= best.durationMs) break;
    const shorter = { ...best, durationMs };
    if (!(await fails(shorter))) break;
    best = shorter;
  }
  return best;
}

async function withFewerClients(
  pieces: Pieces,
  fails: (pieces: Pieces) => Promise<boolean>,
): Promise<Pieces> {
  for (const clients of [1, 2, 3]) {
    const fewer = { ...pieces, clients };
    if (await fails(fewer)) return fewer;
  }
  return pieces;
}

/** What a reader would call the same failure: broken promises and checks before missed objectives. */
function waysOfFailing({
  verdict,
  checks,
}: Pick<RunRecord, 'verdict' | 'checks'>): readonly string[] {
  if (verdict.kind !== 'failed') return [];
  const grave = [
    ...verdict.because.filter((one) => one.startsWith('a promise was broken')).map(() => 'broken'),
    ...checks.filter((check) => check.kind !== 'ok').map((check) => `${check.name} ${check.kind}`),
  ];
  if (grave.length > 0) return grave;
  // The figure that was measured is another one each time.
  return verdict.because.map((one) => one.replace(/ \((?:measured|nothing).*\)$/, ''));
}
