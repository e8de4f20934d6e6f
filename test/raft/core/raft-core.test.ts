import { describe, expect, test } from 'vitest';
import { CoreCluster } from '../../harness/core-cluster.ts';
import { TUNING } from '../../harness/core-node.ts';

describe('a cluster of three', () => {
  test('elects the node whose patience ends first', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(2);
    expect(cluster.node(2).status).toMatchObject({ role: 'leader', term: 1, leader: 2 });
    expect(cluster.node(1).status).toMatchObject({ role: 'follower', term: 1, leader: 2 });
    expect(cluster.node(3).status).toMatchObject({ role: 'follower', term: 1, leader: 2 });
  });

  test('a leader that is heard and does not hear gives way within one and a half election timeouts', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = new CoreCluster({ voters: [1, 2, 3], seed });
      cluster.elect(1);
      // Wherever in a period of checks the cut falls.
      cluster.run(seed);
      for (const id of [2, 3]) cluster.cutOneWay(id, 1);
      cluster.run(1.5 * TUNING.electionTicks);
      expect(cluster.node(1).status.role, `seed ${seed}`).not.toBe('leader');
      expect(cluster.terms, `seed ${seed}`).toEqual([1, 1, 1]);
      cluster.run(60);
      expect([2, 3], `seed ${seed}`).toContain(cluster.node(2).status.leader);
    }
  });

  test('never elects a reluctant node while another can be', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const cluster = new CoreCluster({ voters: [1, 2, 3], seed });
      cluster.elect(3);
      cluster.node(1).core.setReluctant(true);
      cluster.partition([1, 2], [3]);
      cluster.run(60);
      expect(cluster.node(2).status.role, `seed ${seed}`).toBe('leader');
    }
  });

  test('elects a reluctant node when nobody else may be, and any node once it is reluctant no more', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(3);
    for (const id of [1, 2]) cluster.node(id).core.setReluctant(true);
    cluster.partition([1, 2], [3]);
    cluster.run(300);
    expect([1, 2].map((id) => cluster.node(id).status.role)).toContain('leader');
    const led = cluster.node(1).status.role === 'leader' ? 1 : 2;
    const other = 3 - led;
    cluster.node(other).core.setReluctant(false);
    cluster.partition([other, 3], [led]);
    cluster.run(300);
    expect([other, 3].map((id) => cluster.node(id).status.role)).toContain('leader');
  });

  test('applies what the leader accepted, everywhere and in order', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    expect(leader.propose('a', 'b')).toMatchObject({ kind: 'accepted', first: 2, last: 3 });
    leader.propose('c');
    cluster.stabilize();
    for (const id of [1, 2, 3]) expect(cluster.node(id).commands).toEqual(['a', 'b', 'c']);
  });

  test('is led without elections while heartbeats arrive', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(3);
    cluster.run(200);
    expect(cluster.leader?.id).toBe(3);
    expect(cluster.terms).toEqual([1, 1, 1]);
  });

  test('elects by itself, from any seed', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const cluster = new CoreCluster({ voters: [1, 2, 3], seed });
      cluster.run(60);
      expect(cluster.leader, `seed ${seed}`).toBeDefined();
    }
  });

  test('a single voter leads and commits alone', () => {
    const cluster = new CoreCluster({ voters: [1] });
    const only = cluster.elect(1);
    only.propose('a');
    cluster.stabilize();
    expect(only.commands).toEqual(['a']);
  });

  test('a follower names the leader to whoever proposes there', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    expect(cluster.node(2).propose('x')).toEqual({ kind: 'not-leader', leader: 1 });
  });
});
