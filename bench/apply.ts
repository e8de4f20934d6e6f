// Measures what applying committed puts costs one node: processor time of all threads an entry,
// with the writes to disk and LevelDB's own work in it. Nothing else is measured here.
//
//   npm run bench:apply                              10 thousand secrets
//   npm run bench:apply -- --secrets 1000000         fills in so many first (minutes, 2 GB of disk)
//   npm run bench:apply -- --puts 20000 --batch 32   a shorter run, one size of batch

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { invariant, SeededRandom, systemClock } from '../src/lib/index.ts';
import type { Entry, Membership, NodeId } from '../src/raft/index.ts';
import { openStore, type Store, type TransactionResult } from '../src/store/index.ts';
import { quietLogger, quietMetrics } from '../src/telemetry/index.ts';
import { PutStream } from './load/put-stream.ts';

const { values } = parseArgs({
  options: {
    secrets: { type: 'string', default: '10000' },
    puts: { type: 'string', default: '40000' },
    batch: { type: 'string' },
  },
});

/** Puts over this many of the secrets are the hot set. */
const HOT_SECRETS = 1000;
const FILL_BATCH = 256;
const IDLE_SECONDS_MAX = 120;
const IDLE_US_A_SECOND = 50_000;
const members: Membership = { voters: [1 as NodeId], learners: [], removed: [] };

const secrets = Number(values.secrets);
const puts = Number(values.puts);
const batches = values.batch === undefined ? [1, 8, 32, 128] : [Number(values.batch)];
const directory = await mkdtemp(join(tmpdir(), 'strongroom-bench-apply-'));
try {
  const store = await openStore({
    directory,
    clock: systemClock,
    log: quietLogger,
    metrics: quietMetrics,
  });
  await measure(store);
  await store[Symbol.asyncDispose]();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measure(store: Store): Promise<void> {
  const stream = new PutStream(new SeededRandom(1));
  say(`filling in ${secrets} secrets`);
  await fill(store, stream);
  await idle();
  const cases = [
    { name: 'new secrets', next: (at: number) => secrets + at },
    { name: `${HOT_SECRETS} hot secrets`, next: () => stream.random.below(HOT_SECRETS) },
    { name: 'all secrets', next: () => stream.random.below(secrets) },
  ];
  say('puts over          batch   all threads   main thread (us an entry)   entries/s');
  let made = 0;
  for (const { name, next } of cases) {
    for (const batch of batches) {
      const entries = Array.from({ length: puts }, () => stream.put(next(made++)));
      const { cpuUs, mainUs, seconds } = await cost(() => applyAll(store, entries, batch));
      const each = (cpuUs / puts).toFixed(1).padStart(7);
      const main = (mainUs / puts).toFixed(1).padStart(7);
      const rate = Math.round(puts / seconds);
      say(
        `${name.padEnd(18)} ${String(batch).padStart(5)} ${each}       ${main}                    ${rate}`,
      );
    }
  }
}

async function fill(store: Store, stream: PutStream): Promise<void> {
  const step = 20_000;
  for (let from = 0; from < secrets; from += step) {
    const count = Math.min(step, secrets - from);
    const entries = Array.from({ length: count }, (_, at) => stream.put(from + at));
    await applyAll(store, entries, FILL_BATCH);
  }
}

/** LevelDB goes on sorting for a while what was filled in. */
async function idle(): Promise<void> {
  for (let seconds = 0; seconds < IDLE_SECONDS_MAX; seconds++) {
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { user, system } = process.cpuUsage(before);
    if (user + system < IDLE_US_A_SECOND) return;
  }
}

async function applyAll(store: Store, entries: readonly Entry[], batch: number): Promise<void> {
  for (let at = 0; at < entries.length; at += batch) {
    const results = store.apply(entries.slice(at, at + batch), members);
    const conflict = results.find((result) => (result as TransactionResult).kind !== 'committed');
    invariant(conflict === undefined, 'A put of the benchmark was refused', { at });
    await store.room();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await store.persist(store.applied().index);
}

async function cost(
  work: () => Promise<void>,
): Promise<{ readonly cpuUs: number; readonly mainUs: number; readonly seconds: number }> {
  const startedMs = systemClock.monotonicMs();
  const before = process.cpuUsage();
  const mainBefore = mainThreadUs();
  await work();
  const { user, system } = process.cpuUsage(before);
  const mainUs = mainThreadUs() - mainBefore;
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  return { cpuUs: user + system, mainUs, seconds };
}

/** Processor time of this thread alone: Linux gives the main thread the id of the process. */
function mainThreadUs(): number {
  const [ran = ''] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(ran) / 1000;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
