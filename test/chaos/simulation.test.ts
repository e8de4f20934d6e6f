import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Checker, Violation } from '../../chaos/simulation/checker.ts';
import { simulate } from '../../chaos/simulation/simulation.ts';
import { checkTrace } from '../../chaos/trace/check-trace.ts';
import { utf8Bytes } from '../../src/lib/index.ts';
import type { TraceEvent } from '../../src/raft/core/index.ts';
import type { Entry, LogIndex, NodeId, RaftStatus, Term } from '../../src/raft/index.ts';

interface Totals {
  readonly seeds: number;
  readonly failures: number;
  readonly acked: number;
  readonly reads: number;
  readonly faults: Readonly<Record<string, number>>;
}

/** Runs seeds in a process of their own, so that both cores have work. */
function runSeeds(from: number, seeds: number): Promise<{ totals: Totals; output: string }> {
  const main = ['chaos/simulation/main.ts', '--from', String(from), '--seeds', String(seeds)];
  const child = spawn(process.execPath, ['--import', 'tsx', ...main], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
    });
    child.on('error', reject);
    child.on('close', () => {
      const [last = '{}'] = output.trim().split('\n').slice(-1);
      try {
        resolve({ totals: JSON.parse(last) as Totals, output });
      } catch {
        // A failing seed ends the run and says how to replay it.
        reject(new Error(output));
      }
    });
  });
}

const SEEDS_EACH = 1_000;

describe('whole clusters from one seed', () => {
  it('keep every promise of Raft under 2,000 mixtures of faults, and come together afterwards', async () => {
    const runs = await Promise.all([runSeeds(1, SEEDS_EACH), runSeeds(100_001, SEEDS_EACH)]);
    const faults: Record<string, number> = {};
    for (const { totals, output } of runs) {
      expect({ ...totals, output }).toMatchObject({ seeds: SEEDS_EACH, failures: 0 });
      expect(totals.acked).toBeGreaterThan(50 * SEEDS_EACH);
      expect(totals.reads).toBeGreaterThan(10 * SEEDS_EACH);
      for (const [fault, count] of Object.entries(totals.faults)) {
        faults[fault] = (faults[fault] ?? 0) + count;
      }
    }
    // A fault that no longer happens finds nothing: then the run proves less than it says.
    const rare = [
      'kills',
      'powerCuts',
      'partitions',
      'pauses',
      'diskErrors',
      'diskStalls',
      'bitFlips',
      'wipes',
      'rollbacks',
      'amnesia',
      'membershipChanges',
      'transfers',
      'recoveringSeen',
    ].filter((fault) => (faults[fault] ?? 0) < 20);
    expect(rare).toEqual([]);
  }, 240_000);

  it.each([
    [
      401_379,
      'a leader of two demotes the other and loses power before its commit index is stored',
    ],
    [202_949, 'a founder whose first start broke off before its log was written'],
    [202_319, 'a log that was damaged begins after a state that a power cut takes back'],
    [200_434, 'a node may vote again before it is on disk that it has caught up'],
  ])('come together with seed %i, which once failed: %s', async (seed) => {
    expect((await simulate({ seed })).acked).toBeGreaterThan(0);
  });

  it('give no stale read from a lease while clocks run apart by all that is allowed for', async () => {
    let reads = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const config = {
        nodes: seed % 2 === 0 ? 3 : 5,
        leaseReads: true,
        clockSkewPercent: 11,
        readEveryMs: 20,
        partitionEveryMs: 1_500,
        pauseEveryMs: 2_000,
        crashEveryMs: 2_500,
        transferEveryMs: 3_000,
      };
      reads += (await simulate({ seed, config })).reads;
    }
    expect(reads).toBeGreaterThan(5_000);
  }, 60_000);

  it('replay exactly: the same seed gives the same trace, another seed another', async () => {
    const hashOf = async (seed: number) => {
      const hash = createHash('sha256');
      const result = await simulate({
        seed,
        trace: (event) => void hash.update(JSON.stringify(event)),
      });
      return { hash: hash.digest('hex'), ...result };
    };
    for (const seed of [3, 77, 1234]) expect(await hashOf(seed)).toEqual(await hashOf(seed));
    expect((await hashOf(3)).hash).not.toBe((await hashOf(77)).hash);
  });

  it('take only steps that the reference model of Raft allows', async () => {
    let events = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const trace: TraceEvent[] = [];
      await simulate({
        seed,
        // The format knows neither snapshots nor logs that a disk forgot.
        config: {
          compacts: false,
          damagePercent: 0,
          amnesiaEveryMs: 0,
          membershipEveryMs: 0,
          activeMs: 3_000,
        },
        trace: (event) => trace.push(event),
      });
      expect(checkTrace(trace), `seed ${seed}`).toEqual({ accepted: true });
      events += trace.length;
    }
    expect(events).toBeGreaterThan(10_000);
  });
});

describe('the checker of simulated clusters', () => {
  const entry = (index: number, term: number, text: string): Entry => ({
    index: index as LogIndex,
    term: term as Term,
    kind: 'command',
    data: utf8Bytes(text),
  });
  const one = 1 as NodeId;
  const two = 2 as NodeId;
  const leading = (node: NodeId, term: number) =>
    ({ node, term, role: 'leader', applied: 0, commit: 0 }) as RaftStatus;

  it('notices two leaders of one term', () => {
    const checker = new Checker();
    checker.status(leading(one, 4));
    expect(() => checker.status(leading(two, 4))).toThrow(Violation);
  });

  it('notices replicas that apply different entries', () => {
    const checker = new Checker();
    checker.applied(one, entry(1, 1, 'a'), 11);
    expect(() => checker.applied(two, entry(1, 1, 'b'), 12)).toThrow(Violation);
  });

  it('notices a write that is applied twice, or though its client was told that it was refused', () => {
    const checker = new Checker();
    checker.applied(one, entry(1, 1, 'a'), 11);
    expect(() => checker.applied(one, entry(2, 1, 'a'), 12)).toThrow(Violation);
    expect(() => checker.refusedForCertain(utf8Bytes('a'))).toThrow(Violation);
    checker.refusedForCertain(utf8Bytes('c'));
    expect(() => checker.applied(one, entry(3, 1, 'c'), 13)).toThrow(Violation);
  });

  it('notices a stale read, and an acknowledged write that is gone', () => {
    const checker = new Checker();
    checker.applied(one, entry(1, 1, 'a'), 11);
    checker.acknowledged(utf8Bytes('a'), { index: 1 as LogIndex, term: 1 as Term, result: 11 });
    expect(() => checker.read(1, 0)).toThrow(Violation);
    expect(() => checker.finalState(two, 0, 0)).toThrow(Violation);
  });

  it('notices a second vote in one term, and a term that is forgotten', () => {
    const checker = new Checker();
    const vote = {
      kind: 'vote-response',
      from: one,
      term: 3 as Term,
      reject: false,
      commit: 0 as LogIndex,
      commitTerm: 0 as Term,
    } as const;
    checker.sent({ ...vote, to: two });
    expect(() => checker.sent({ ...vote, to: 3 as NodeId })).toThrow(Violation);
    expect(() => checker.started(leading(one, 2))).toThrow(Violation);
  });
});
