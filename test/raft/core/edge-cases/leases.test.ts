import { describe, expect, test } from 'vitest';
import type { Message } from '../../../../src/raft/core/index.ts';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import {
  type CoreNode,
  NOTHING_COMMITTED,
  nodeId,
  TUNING,
  term,
} from '../../../harness/core-node.ts';

const TICK_MS = 100;
const PROMISE_MS = (TUNING.electionTicks - 1) * TICK_MS;
const SHARE = 0.9;
const LEASE_MS = PROMISE_MS * SHARE;
const lease = { promiseMs: PROMISE_MS, share: SHARE };

/** Time passes for every clock, and nothing else happens. */
function pass(cluster: CoreCluster, ms: number): void {
  for (const node of cluster.nodes.values()) node.nowMs = (node.nowMs ?? 0) + ms;
}

/** A leader with a lease that it got just now. */
function leading(voters: readonly number[] = [1, 2, 3]): {
  readonly cluster: CoreCluster;
  readonly leader: CoreNode;
} {
  const cluster = new CoreCluster({ voters, tuning: { lease } });
  pass(cluster, 1_000);
  const leader = cluster.elect(1);
  cluster.run(1);
  return { cluster, leader };
}

/** Whether `leader` answers at once, without a word to anyone. */
function answersAlone(cluster: CoreCluster, leader: CoreNode): boolean {
  const before = leader.reads.length;
  leader.core.readIndex(7);
  cluster.settle();
  return leader.reads.length > before;
}

describe('leases', () => {
  test('a leader that a majority has answered serves reads without a round', () => {
    const { cluster, leader } = leading();
    expect(answersAlone(cluster, leader)).toBe(true);
    expect(leader.reads.at(-1)).toEqual({ context: 7, index: leader.status.commit });
    expect(cluster.wire).toEqual([]);
  });

  test('a follower’s read is answered from the lease as well', () => {
    const { cluster } = leading();
    cluster.node(2).core.readIndex(9);
    cluster.stabilize();
    expect(cluster.node(2).reads).toEqual([{ context: 9, index: 1 }]);
    expect(cluster.delivered.at(-1)?.kind).toBe('read-index-response');
  });

  test('without the option, or without a clock, every read asks a majority', () => {
    const plain = new CoreCluster({ voters: [1, 2, 3] });
    pass(plain, 1_000);
    const leader = plain.elect(1);
    plain.run(1);
    expect(answersAlone(plain, leader)).toBe(false);
    const other = leading();
    other.leader.nowMs = undefined;
    expect(answersAlone(other.cluster, other.leader)).toBe(false);
  });

  test('a leader that stood still reads the clock before it answers', () => {
    const { cluster, leader } = leading();
    pass(cluster, LEASE_MS - 1);
    expect(answersAlone(cluster, leader)).toBe(true);
    pass(cluster, 1);
    expect(answersAlone(cluster, leader)).toBe(false);
    cluster.stabilize();
    expect(leader.reads.length).toBe(2);
  });

  test('a lease begins when its heartbeat was sent, however late the answer comes', () => {
    const { cluster, leader } = leading();
    pass(cluster, LEASE_MS);
    leader.core.tick();
    cluster.settle();
    pass(cluster, LEASE_MS - 1);
    cluster.stabilize();
    expect(answersAlone(cluster, leader)).toBe(true);
    pass(cluster, 1);
    expect(answersAlone(cluster, leader)).toBe(false);
  });

  test('an answer to an old heartbeat does not lengthen the lease', () => {
    const { cluster, leader } = leading();
    const answers: Message[] = [];
    leader.core.tick();
    cluster.settle();
    cluster.deliverMatching((message) => message.kind === 'heartbeat');
    answers.push(...cluster.wire);
    cluster.wire = [];
    expect(answers.length).toBe(2);
    pass(cluster, LEASE_MS);
    leader.core.tick();
    cluster.settle();
    for (const answer of answers) leader.core.step(answer);
    expect(answersAlone(cluster, leader)).toBe(false);
  });

  test('promises of less than a majority, or none at all, are no lease', () => {
    const { cluster, leader } = leading([1, 2, 3, 4, 5]);
    pass(cluster, LEASE_MS);
    cluster.partition([1, 2], [3, 4, 5]);
    cluster.run(1);
    expect(answersAlone(cluster, leader)).toBe(false);
    cluster.heal();
    cluster.stabilize();
    cluster.run(1);
    expect(answersAlone(cluster, leader)).toBe(true);
    pass(cluster, LEASE_MS);
    leader.core.tick();
    cluster.settle();
    // As nodes without the option do.
    for (const message of cluster.wire.splice(0)) {
      if (message.kind !== 'heartbeat') continue;
      const { context } = message;
      const answer = { kind: 'heartbeat-response', to: leader.id, term: message.term } as const;
      leader.core.step({ ...answer, from: message.to, context });
    }
    expect(answersAlone(cluster, leader)).toBe(false);
  });

  test('a new leader with a lease still waits for an entry of its own term', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { lease } });
    pass(cluster, 1_000);
    cluster.drop((message) => message.kind === 'append');
    const leader = cluster.elect(1);
    cluster.run(1);
    expect(answersAlone(cluster, leader)).toBe(false);
    cluster.heal();
    cluster.run(1);
    expect(leader.reads).toEqual([{ context: 7, index: 1 }]);
  });

  test('a voter that restarts keeps what its last process promised', () => {
    const { cluster, leader } = leading();
    const [voter, other] = [cluster.node(2), cluster.node(3)];
    cluster.partition([1], [2, 3]);
    cluster.tick(3, TUNING.electionTicks - 1);
    voter.restart();
    // The other comes to the end of its patience long before the voter’s promise ends.
    cluster.tick(2, TUNING.electionTicks - 1);
    cluster.tick(3, TUNING.electionTicks);
    cluster.stabilize();
    expect(other.status.role).toBe('pre-candidate');
    expect(answersAlone(cluster, leader)).toBe(true);
    cluster.tick(2);
    cluster.tick(3, 2 * TUNING.electionTicks);
    cluster.stabilize();
    expect(other.status.role).toBe('leader');
  });

  test('a voter that hears of a later term keeps its promise to the leader of the earlier one', () => {
    const { cluster, leader } = leading();
    const voter = cluster.node(2);
    const later = term(leader.status.term + 1);
    const from = nodeId(3);
    voter.core.step({
      kind: 'pre-vote-response',
      from,
      to: voter.id,
      term: later,
      reject: true,
      ...NOTHING_COMMITTED,
    });
    expect(voter.status).toMatchObject({ term: later, leader: undefined });
    const asks = {
      from,
      to: voter.id,
      lastIndex: voter.status.lastIndex,
      transfer: false,
      ...NOTHING_COMMITTED,
    } as const;
    for (const asked of [later, term(later + 1)]) {
      voter.core.step({ kind: 'vote', ...asks, term: asked, lastTerm: leader.status.term });
    }
    cluster.settle();
    const granted = (message: Message) => message.kind === 'vote-response' && !message.reject;
    expect(cluster.wire.some(granted)).toBe(false);
    // Nor does it follow them into the term: it would then turn away its leader.
    expect(voter.status.term).toBe(later);
    cluster.wire = [];
    cluster.tick(2, TUNING.electionTicks);
    cluster.wire = [];
    voter.core.step({ kind: 'vote', ...asks, term: term(later + 1), lastTerm: leader.status.term });
    cluster.settle();
    expect(cluster.wire.some(granted)).toBe(true);
  });

  test('a leader that told another to campaign has no leases any more, also when that came to nothing', () => {
    const { cluster, leader } = leading();
    cluster.drop((message) => message.kind === 'timeout-now');
    leader.core.transferLeadership(nodeId(2));
    cluster.stabilize();
    expect(answersAlone(cluster, leader)).toBe(false);
    cluster.run(2 * TUNING.electionTicks);
    expect(leader.status).toMatchObject({ role: 'leader', transferring: undefined });
    expect(answersAlone(cluster, leader)).toBe(false);
    cluster.stabilize();
    expect(leader.reads.length).toBe(2);
  });

  test('a peer that came back as a new process must promise anew', () => {
    const { cluster, leader } = leading();
    leader.core.peerRestarted(nodeId(2));
    leader.core.peerRestarted(nodeId(3));
    expect(answersAlone(cluster, leader)).toBe(false);
  });
});
