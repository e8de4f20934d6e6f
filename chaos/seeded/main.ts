/**
 * Are the checkers worth anything? Seeds one fault after the other into a copy of the product, runs
 * the scenario that is to catch it, and the same scenario on the product as it is, which must pass.
 *
 *   npm run chaos:seeded                                   every fault
 *   npm run chaos:seeded -- --only watch-repeats,restarts  by fault or scenario
 *   npm run chaos:seeded -- --on simulation                on one ground
 *   npm run chaos:seeded -- --seed 7 --seeds 3             each with seeds 7, 8 and 9
 *   npm run chaos:seeded -- --faults-only                  not the scenarios without a fault
 *   npm run chaos:seeded -- --format json                  for programs
 *
 * Ends with status 1 when a fault was missed, or a scenario failed without one.
 */
import { parseArgs } from 'node:util';
import { seededFaults } from './catalogue.ts';
import { resultTable } from './result-table.ts';
import { chosenFrom, tryFaults } from './try-faults.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    on: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    'faults-only': { type: 'boolean', default: false },
    format: { type: 'string', default: 'table' },
  },
});
const [seed, seeds] = [Number(values.seed), Number(values.seeds)];
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(seeds) || seeds < 1)
  throw new Error('--seed and --seeds are whole numbers');
if (values.format !== 'table' && values.format !== 'json')
  throw new Error('--format is "table" or "json"');

const interrupted = new AbortController();
// The nodes of the run that is under way are ended, and the copy is removed.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());

const chosen = chosenFrom(seededFaults, { names: values.only?.split(','), ground: values.on });
const report = await tryFaults(chosen, {
  project: process.cwd(),
  seeds: Array.from({ length: seeds }, (_, at) => seed + at),
  isFaultsOnly: values['faults-only'],
  signal: interrupted.signal,
  say: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(
  values.format === 'json' ? `${JSON.stringify(report, undefined, 1)}\n` : resultTable(report),
);
if (!report.isGood || interrupted.signal.aborted) process.exitCode = 1;
