import { describe, expect, it } from 'vitest';
import type { SealState } from '../../../src/seal/index.ts';
import type { NodeReport } from '../../../src/server/cluster/peer-request.ts';
import { leadOnlyFit } from '../../../src/server/fitness/fit-leader.ts';
import { unfitness } from '../../../src/server/fitness/fitness.ts';
import { quietLogger, quietMetrics } from '../../../src/telemetry/index.ts';

const GRACE_MS = 1_000;

function report(node: number, state: SealState, applied = 10): NodeReport {
  const seal = { state, restartReady: false, reason: '', lastProofAtMs: 0, slots: [] };
  const common = { leader: 1, role: 'follower', term: 1, commit: applied, lagMs: 0, reason: '' };
  return { ...common, node, applied, healthy: true, version: '', seal };
}

/** Node 1 of voters 1 to 3; 4 is a replica. It is sealed, if nothing else is said. */
function node(state: SealState = 'waiting') {
  const self = {
    role: 'leader',
    state,
    initialized: true,
    manuallySealed: false,
    sinks: [{ name: 'file', isHealthy: true }],
    nowMs: 0,
  };
  const others: (NodeReport | undefined)[] = [];
  const handedTo: number[] = [];
  const reluctance: boolean[] = [];
  const look = leadOnlyFit({
    raft: {
      status: () => ({ node: 1, role: self.role, membership: { voters: [1, 2, 3] } }) as never,
      transferLeadership: async (to) => void handedTo.push(to as number),
      setReluctant: (isReluctant) => void reluctance.push(isReluctant),
    },
    unfitness: () =>
      unfitness({ state: () => self.state, status: () => self as never }, self.sinks),
    reports: async () => others,
    clock: { monotonicMs: () => self.nowMs, wallMs: () => 0, after: () => ({ cancel() {} }) },
    log: quietLogger,
    metrics: quietMetrics,
  });
  const { signal } = new AbortController();
  const lookAfterGrace = async () => {
    await look(signal);
    self.nowMs += GRACE_MS;
    await look(signal);
  };
  return { self, others, handedTo, reluctance, look: () => look(signal), lookAfterGrace };
}

const full = [{ name: 'file', isHealthy: false }];

describe('a leader that is sealed', () => {
  it('hands over to the open voter that has the most', async () => {
    const { others, handedTo, lookAfterGrace } = node();
    others.push(report(1, 'waiting', 9), report(2, 'unsealed', 7), report(3, 'unsealed', 8));
    await lookAfterGrace();
    expect(handedTo).toEqual([3]);
  });

  it('gives itself a moment to open first', async () => {
    const { self, others, handedTo, look } = node();
    others.push(report(2, 'unsealed'));
    await look();
    self.nowMs = GRACE_MS - 1;
    await look();
    self.state = 'unsealed';
    self.nowMs = 5_000;
    await look();
    self.state = 'waiting';
    await look();
    expect(handedTo).toEqual([]);
  });

  it('hands over to no replica, no sealed voter and none that is not well', async () => {
    const { others, handedTo, lookAfterGrace } = node();
    others.push(report(4, 'unsealed', 99), report(2, 'sealed'), undefined);
    others.push({ ...report(3, 'unsealed'), healthy: false });
    await lookAfterGrace();
    expect(handedTo).toEqual([]);
  });

  it.each(['manuallySealed', 'initialized'] as const)(
    'stays leader when %s says so',
    async (why) => {
      const { self, others, handedTo, lookAfterGrace } = node();
      self[why] = why === 'manuallySealed';
      others.push(report(2, 'unsealed'));
      await lookAfterGrace();
      expect(handedTo).toEqual([]);
    },
  );

  it('has nothing to hand over once it follows', async () => {
    const { self, others, handedTo, lookAfterGrace } = node();
    self.role = 'follower';
    others.push(report(2, 'unsealed'));
    await lookAfterGrace();
    expect(handedTo).toEqual([]);
  });
});

describe('a leader whose audit log cannot be written', () => {
  it('hands over to a voter whose log can be, and never to itself', async () => {
    const { self, others, handedTo, lookAfterGrace } = node('unsealed');
    self.sinks = full;
    others.push(report(1, 'unsealed', 99), report(2, 'unsealed', 7));
    await lookAfterGrace();
    expect(handedTo).toEqual([2]);
  });

  it('goes on leading while one sink takes its records, or one recovers at once', async () => {
    const { self, others, handedTo, look, lookAfterGrace } = node('unsealed');
    others.push(report(2, 'unsealed'));
    self.sinks = [...full, { name: 'second', isHealthy: true }];
    await lookAfterGrace();
    self.sinks = full;
    await look();
    self.sinks = [{ name: 'file', isHealthy: true }];
    self.nowMs += GRACE_MS;
    await look();
    self.sinks = full;
    await look();
    expect(handedTo).toEqual([]);
  });

  it('goes on leading when no other voter is better off', async () => {
    const { self, others, handedTo, lookAfterGrace } = node('unsealed');
    self.sinks = full;
    others.push({ ...report(2, 'unsealed'), healthy: false }, report(3, 'waiting'), undefined);
    await lookAfterGrace();
    expect(handedTo).toEqual([]);
  });

  it('lets others go first in elections until it is well, also while it follows', async () => {
    const { self, reluctance, look, lookAfterGrace } = node('unsealed');
    self.role = 'follower';
    await look();
    self.sinks = full;
    await lookAfterGrace();
    self.sinks = [{ name: 'file', isHealthy: true }];
    await look();
    expect(reluctance).toEqual([false, false, true, false]);
  });
});
