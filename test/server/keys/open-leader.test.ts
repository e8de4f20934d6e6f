import { describe, expect, it } from 'vitest';
import type { SealState } from '../../../src/seal/index.ts';
import type { NodeReport } from '../../../src/server/cluster/peer-request.ts';
import { leadOnlyOpen } from '../../../src/server/keys/open-leader.ts';
import { quietLogger } from '../../../src/telemetry/index.ts';

const GRACE_MS = 1_000;

function report(node: number, state: SealState, applied = 10): NodeReport {
  const seal = { state, restartReady: false, reason: '', lastProofAtMs: 0, slots: [] };
  const common = { leader: 1, role: 'follower', term: 1, commit: applied, lagMs: 0, reason: '' };
  return { ...common, node, applied, healthy: true, version: '', seal };
}

/** Node 1 of voters 1 to 3; 4 is a replica. */
function node(state: SealState = 'waiting') {
  const self = { role: 'leader', state, initialized: true, manuallySealed: false, nowMs: 0 };
  const others: (NodeReport | undefined)[] = [];
  const handedTo: number[] = [];
  const look = leadOnlyOpen({
    raft: {
      status: () => ({ role: self.role, membership: { voters: [1, 2, 3] } }) as never,
      transferLeadership: async (to) => void handedTo.push(to as number),
    },
    seal: {
      state: () => self.state,
      status: () => self as never,
    },
    reports: async () => others,
    clock: { monotonicMs: () => self.nowMs, wallMs: () => 0, after: () => ({ cancel() {} }) },
    log: quietLogger,
  });
  const lookAfterGrace = async () => {
    const { signal } = new AbortController();
    await look(signal);
    self.nowMs += GRACE_MS;
    await look(signal);
  };
  return { self, others, handedTo, look, lookAfterGrace };
}

describe('a leader that is sealed', () => {
  it('hands over to the open voter that has the most', async () => {
    const { others, handedTo, lookAfterGrace } = node();
    others.push(report(1, 'waiting', 9), report(2, 'unsealed', 7), report(3, 'unsealed', 8));
    await lookAfterGrace();
    expect(handedTo).toEqual([3]);
  });

  it('gives itself a moment to open first', async () => {
    const { self, others, handedTo, look } = node();
    const { signal } = new AbortController();
    others.push(report(2, 'unsealed'));
    await look(signal);
    self.nowMs = GRACE_MS - 1;
    await look(signal);
    self.state = 'unsealed';
    self.nowMs = 5_000;
    await look(signal);
    self.state = 'waiting';
    await look(signal);
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
