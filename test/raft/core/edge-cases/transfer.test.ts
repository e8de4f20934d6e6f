import { describe, expect, test } from 'vitest';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import { nodeId } from '../../../harness/core-node.ts';

const threeLedBy1 = () => {
  const cluster = new CoreCluster({ voters: [1, 2, 3] });
  const leader = cluster.elect(1);
  cluster.run(1);
  return { cluster, leader };
};

describe('leadership transfer', () => {
  test('dragonboat 1c7ebd3: the target wins at once, PreVote and stickiness notwithstanding', () => {
    const { cluster, leader } = threeLedBy1();
    expect(leader.core.transferLeadership(nodeId(3))).toEqual({ kind: 'started', target: 3 });
    cluster.stabilize();
    expect(cluster.leader?.id).toBe(3);
    expect(cluster.terms).toEqual([2, 2, 2]);
  });

  test('without a target the follower that is furthest along is chosen', () => {
    const { cluster, leader } = threeLedBy1();
    cluster.partition([1, 3]);
    leader.propose('x');
    cluster.stabilize();
    expect(leader.core.transferLeadership(undefined)).toEqual({ kind: 'started', target: 3 });
  });

  test('hashicorp #581: proposals are refused while leadership moves, and nothing is lost', () => {
    const { cluster, leader } = threeLedBy1();
    leader.propose('before');
    leader.core.transferLeadership(nodeId(2));
    expect(leader.propose('during')).toEqual({ kind: 'transferring' });
    cluster.stabilize();
    const next = cluster.leader;
    expect(next?.id).toBe(2);
    next?.propose('after');
    cluster.run(2);
    for (const id of [1, 2, 3]) expect(cluster.node(id).commands).toEqual(['before', 'after']);
  });

  test('redpanda #2606: a dead target costs one election timeout, then proposals are taken', () => {
    const { cluster, leader } = threeLedBy1();
    cluster.node(2).crash();
    leader.core.transferLeadership(nodeId(2));
    cluster.run(9);
    expect(leader.propose('x').kind).toBe('transferring');
    cluster.run(2);
    expect(leader.status).toMatchObject({ role: 'leader', transferring: undefined });
    expect(leader.propose('x').kind).toBe('accepted');
  });

  test('a target that lags is brought up to date first', () => {
    const { cluster, leader } = threeLedBy1();
    cluster.partition([1, 2]);
    leader.propose('a', 'b');
    cluster.stabilize();
    cluster.heal();
    leader.core.transferLeadership(nodeId(3));
    cluster.settle();
    expect(cluster.wire.some((message) => message.kind === 'timeout-now')).toBe(false);
    cluster.run(3);
    expect(cluster.leader?.id).toBe(3);
    expect(cluster.node(3).commands).toEqual(['a', 'b']);
  });

  test('a target that needs a snapshot gets it, then leadership', () => {
    const { cluster, leader } = threeLedBy1();
    cluster.partition([1, 2]);
    leader.propose('a', 'b');
    cluster.stabilize();
    leader.compact();
    cluster.heal();
    leader.core.transferLeadership(nodeId(3));
    cluster.run(5);
    expect(cluster.leader?.id).toBe(3);
    expect(cluster.node(3).commands).toEqual(['a', 'b']);
  });

  test.each([
    ['itself', 1, 'node 1 is the leader already'],
    ['a stranger', 9, 'node 9 is no voter'],
    ['a learner', 4, 'node 4 is no voter'],
  ])('%s is refused as target', (_, target, because) => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], learners: [4] });
    const leader = cluster.elect(1);
    cluster.run(1);
    expect(leader.core.transferLeadership(nodeId(target))).toEqual({ kind: 'refused', because });
  });

  test('a demoted node is refused as target, and demoting the target ends the transfer', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    const leader = cluster.elect(1);
    cluster.partition([1, 2, 3]);
    leader.core.proposeMembership({ kind: 'demote', node: nodeId(4) });
    cluster.settle();
    leader.core.transferLeadership(nodeId(4));
    cluster.stabilize();
    expect(leader.status.transferring).toBeUndefined();
    expect(leader.core.transferLeadership(nodeId(4))).toMatchObject({ kind: 'refused' });
  });

  test('a second transfer replaces the first', () => {
    const { cluster, leader } = threeLedBy1();
    cluster.partition([1, 3]);
    leader.propose('x');
    cluster.stabilize();
    leader.core.transferLeadership(nodeId(2));
    cluster.settle();
    expect(leader.core.transferLeadership(nodeId(3))).toEqual({ kind: 'started', target: 3 });
    expect(leader.status.transferring).toBe(3);
    cluster.heal();
    cluster.stabilize();
    expect(cluster.leader?.id).toBe(3);
  });

  test('the leader may crash right after it told the target', () => {
    const { cluster, leader } = threeLedBy1();
    leader.core.transferLeadership(nodeId(2));
    cluster.settle();
    cluster.deliverMatching((message) => message.kind === 'timeout-now');
    leader.crash();
    cluster.stabilize();
    expect(cluster.leader?.id).toBe(2);
  });

  test('a follower hands nothing over', () => {
    const { cluster } = threeLedBy1();
    expect(cluster.node(2).core.transferLeadership(nodeId(3))).toEqual({
      kind: 'not-leader',
      leader: 1,
    });
  });
});
