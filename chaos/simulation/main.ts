/**
 * `npm run chaos:simulate -- --seeds 2000 [--from 1]` runs that many seeds;
 * `--seed 42 [--verbose] [--trace FILE]` replays one.
 */
import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { InvariantError } from '../../src/lib/index.ts';
import { type Logger, quietLogger } from '../../src/telemetry/index.ts';
import { type SimulationOptions, simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
});

const printing: Logger = {
  ...quietLogger,
  info: (fields, message) => console.log(message, JSON.stringify(fields)),
  warn: (fields, message) => console.log(message, JSON.stringify(fields)),
  error: (fields, message) => console.log(message, JSON.stringify(fields)),
};

async function run(seed: number): Promise<boolean> {
  const trace = values.trace === undefined ? undefined : createWriteStream(values.trace);
  const options: SimulationOptions = {
    seed,
    // The trace specification knows no duplicated messages.
    ...(trace === undefined
      ? {}
      : {
          config: { duplicatePerMille: 0, compacts: false },
          trace: (event) => trace.write(`${JSON.stringify({ tag: 'trace', event })}\n`),
        }),
    ...(values.verbose ? { logger: printing } : {}),
  };
  try {
    const result = await simulate(options);
    if (values.seed !== undefined) console.log(JSON.stringify(result, undefined, 2));
    totals.acked += result.acked;
    totals.reads += result.reads;
    totals.events += result.events;
    for (const [fault, count] of Object.entries(result.faults)) {
      totals.faults[fault] = (totals.faults[fault] ?? 0) + count;
    }
    return true;
  } catch (error) {
    const facts = error instanceof InvariantError ? ` ${JSON.stringify(error.facts)}` : '';
    console.log(
      `seed ${seed} FAILED: ${error instanceof Error ? error.message : String(error)}${facts}`,
    );
    if (values.verbose && error instanceof Error) console.log(error.stack);
    console.log(`replay: npm run chaos:simulate -- --seed ${seed} --verbose`);
    return false;
  } finally {
    trace?.end();
  }
}

const totals = { acked: 0, reads: 0, events: 0, faults: {} as Record<string, number> };

async function main(): Promise<void> {
  if (values.seed !== undefined) {
    if (!(await run(Number(values.seed)))) process.exitCode = 1;
    return;
  }
  const from = Number(values.from);
  const count = Number(values.seeds);
  const started = performance.now();
  let failures = 0;
  for (let at = 0; at < count; at++) {
    if (!(await run(from + at))) {
      failures += 1;
      process.exitCode = 1;
      if (!values['keep-going']) return;
    }
    if ((at + 1) % 100 === 0) {
      const seconds = (performance.now() - started) / 1000;
      console.log(`${at + 1} of ${count} seeds, ${failures} failed, ${seconds.toFixed(1)} s`);
    }
  }
  console.log(JSON.stringify({ seeds: count, failures, ...totals }));
}

await main();
