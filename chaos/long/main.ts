/**
 * `npm run chaos:long` runs every scenario of the library on local processes, each again and again
 * for ten minutes and with another seed each time, and prints what came of them and of the
 * objectives.
 *
 *   npm run chaos:long -- --for 2m                     a shorter time for each
 *   npm run chaos:long -- --only leader-loss,storms    some of them
 *   npm run chaos:long -- --from 100                   the first seed
 *   npm run chaos:long -- --out FOLDER                 where; a folder with results is gone on with
 *   npm run chaos:long -- --format json                the results as one document
 *
 * Ends with status 3 when a run failed, 130 after Ctrl-C, 1 for a flag that cannot be meant. The
 * folders of runs that failed are kept.
 */
import { exitStatus } from '../../src/cli/index.ts';
import { StrongroomError } from '../../src/lib/index.ts';
import { processGround } from '../grounds/processes/process-ground.ts';
import { type LongOptions, parseOptions } from './options.ts';
import { ResultsFile } from './results-file.ts';
import { runLong } from './run-long.ts';
import { longTables, objectiveRows, scenarioRows } from './tables.ts';

const say = (text: string) => process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), new Date());
  const interrupted = new AbortController();
  process.on('SIGINT', () => {
    say('Healing; what was done so far is kept');
    interrupted.abort();
  });
  const results = await ResultsFile.open(options.folder);
  say(`Results go to ${options.folder}`);
  await runLong(options, {
    ground: processGround,
    results,
    signal: interrupted.signal,
    say,
    nowMs: () => performance.now(),
    programVersion: 'long',
  });
  process.stdout.write(view(options, results));
  if (interrupted.signal.aborted) {
    say(`Go on with: npm run chaos:long -- --out ${options.folder}`);
    return exitStatus.interrupted;
  }
  const isFine = results.runs.every((run) => run.verdict === 'passed');
  return isFine ? exitStatus.ok : exitStatus.failedCheck;
}

function view({ format }: LongOptions, { runs }: ResultsFile): string {
  if (format === 'table') return longTables(runs);
  const document = { scenarios: scenarioRows(runs), objectives: objectiveRows(runs), runs };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof StrongroomError)) throw error;
  say(error.message);
  return 1;
});
