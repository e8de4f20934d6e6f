import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../../src/lib/index.ts';
import type { MembershipChange } from '../../../../src/raft/core/index.ts';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import { logIndex, nodeId, term } from '../../../harness/core-node.ts';

const addLearner = (id: number): MembershipChange => ({
  kind: 'add-learner',
  node: nodeId(id),
  context: new Uint8Array(),
});
const change = (kind: 'promote' | 'demote' | 'remove', id: number): MembershipChange => ({
  kind,
  node: nodeId(id),
});
/** What it takes to be rid of a voter. */
function leave(cluster: CoreCluster, id: number): void {
  cluster.leader?.core.proposeMembership(change('demote', id));
  cluster.stabilize();
  cluster.leader?.core.proposeMembership(change('remove', id));
  cluster.stabilize();
}
const NOBODY = { voters: [], learners: [], removed: [] };

describe('membership', () => {
  test('a joiner that reads the log from its start counts the founders too', () => {
    const cluster = new CoreCluster({ voters: [1] });
    const leader = cluster.elect(1);
    const joiner = cluster.add(nodeId(2), NOBODY);
    leader.core.proposeMembership(addLearner(2));
    cluster.run(3);
    expect(leader.core.proposeMembership(change('promote', 2)).kind).toBe('accepted');
    cluster.run(3);
    expect(joiner.status.firstIndex).toBe(1);
    expect(joiner.status.membership.voters).toEqual([1, 2]);
    leader.crash();
    cluster.run(60);
    expect(joiner.status.role).not.toBe('leader');
  });

  test('raft-dev 2015: no change before an entry of the leader’s own term is committed', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    cluster.drop((message) => message.kind === 'append');
    const leader = cluster.elect(1);
    expect(leader.core.proposeMembership(addLearner(5))).toEqual({
      kind: 'refused',
      because: 'this leader has not committed an entry of its term yet',
    });
    cluster.heal();
    cluster.run(2);
    expect(leader.core.proposeMembership(addLearner(5)).kind).toBe('accepted');
  });

  test('one change at a time, until it is applied', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    const leader = cluster.elect(1);
    leader.slowApply = true;
    expect(leader.core.proposeMembership(change('demote', 4)).kind).toBe('accepted');
    cluster.stabilize();
    expect(leader.status.commit).toBe(2);
    expect(leader.core.proposeMembership(change('demote', 3)).kind).toBe('refused');
    leader.slowApply = false;
    leader.applyAll();
    cluster.stabilize();
    expect(leader.core.proposeMembership(change('demote', 3)).kind).toBe('accepted');
  });

  test('a new leader takes no change before what it inherited is applied', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const heir = cluster.node(2);
    heir.slowApply = true;
    cluster.elect(1).core.transferLeadership(nodeId(2));
    cluster.stabilize();
    expect(heir.status).toMatchObject({ role: 'leader', commit: 2, applied: 0 });
    expect(heir.core.proposeMembership(addLearner(9))).toEqual({
      kind: 'refused',
      because: 'the change up to index 2 is not applied yet',
    });
    heir.applyAll();
    expect(heir.core.proposeMembership(addLearner(9)).kind).toBe('accepted');
  });

  test('etcd #11284: with a committed change not applied a node does not campaign', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    const leader = cluster.elect(1);
    const behind = cluster.node(4);
    behind.slowApply = true;
    leader.core.proposeMembership(change('demote', 3));
    cluster.run(2);
    expect(behind.status.commit).toBe(3);
    cluster.partition([4]);
    cluster.tick(4, 60);
    cluster.settle();
    expect(behind.status.role).toBe('follower');
    behind.applyAll();
    cluster.tick(4, 60);
    expect(behind.status.role).toBe('pre-candidate');
  });

  test('abb533c: a learner that does not know of its promotion votes when asked', () => {
    const cluster = new CoreCluster({ voters: [1, 2], learners: [3] });
    const leader = cluster.elect(1);
    cluster.run(2);
    const late = cluster.node(3);
    late.slowApply = true;
    leader.core.proposeMembership(change('promote', 3));
    cluster.run(2);
    expect(late.status.membership.voters).toEqual([1, 2]);
    leader.crash();
    cluster.run(60);
    expect(cluster.leader?.id).toBe(2);
  });

  test('db54973: a learner never campaigns, not by time nor when told to', () => {
    const cluster = new CoreCluster({ voters: [1, 2], learners: [3] });
    const leader = cluster.elect(1);
    cluster.run(1);
    expect(leader.core.transferLeadership(nodeId(3)).kind).toBe('refused');
    const said = { from: nodeId(1), to: nodeId(3), term: term(1) };
    cluster.node(3).core.step({ kind: 'timeout-now', ...said });
    expect(cluster.node(3).status.role).toBe('follower');
    cluster.partition([3]);
    cluster.run(100);
    expect(cluster.node(3).status).toMatchObject({ role: 'follower', term: 1, leader: undefined });
  });

  test('a learner is not counted in any majority', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], learners: [4, 5] });
    const leader = cluster.elect(1);
    cluster.run(1);
    cluster.partition([1, 4, 5]);
    leader.propose('x');
    cluster.stabilize();
    expect(leader.status.commit).toBe(1);
    cluster.run(21);
    expect(leader.status.role).not.toBe('leader');
  });

  test('etcd #15096: a learner that is behind or silent is not promoted', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    for (let i = 0; i < 20; i++) {
      leader.propose(`c${i}`);
      cluster.stabilize();
    }
    leader.core.proposeMembership(addLearner(4));
    cluster.run(30);
    expect(leader.core.proposeMembership(change('promote', 4))).toMatchObject({
      kind: 'refused',
      because: 'node 4 was not heard from',
    });
    cluster.add(nodeId(4), NOBODY);
    cluster.drop((message) => message.kind === 'append' && message.to === 4);
    cluster.run(5);
    expect(leader.core.proposeMembership(change('promote', 4))).toMatchObject({
      kind: 'refused',
      because: 'node 4 holds 0 of 22 entries, it needs 19',
    });
    cluster.heal();
    cluster.run(5);
    expect(leader.core.proposeMembership(change('promote', 4)).kind).toBe('accepted');
  });

  test('openraft #2002, redisraft #2: a removed id that returns is told so, and disturbs nobody', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    const leader = cluster.elect(1);
    cluster.partition([1, 2, 3], [4]);
    leave(cluster, 4);
    cluster.run(30);
    cluster.heal();
    cluster.run(40);
    expect(cluster.node(4).status.removed).toBe(true);
    expect(leader.status).toMatchObject({ role: 'leader', term: 1 });
    expect(leader.core.proposeMembership(addLearner(4))).toMatchObject({ kind: 'refused' });
    const reborn = cluster.add(nodeId(4));
    cluster.run(60);
    expect(reborn.status).toMatchObject({ removed: true, role: 'follower' });
    expect(leader.status.term).toBe(1);
  });

  test('a node without a vote that missed its own removal says that it is there, and is told', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    const leader = cluster.elect(1);
    leader.core.proposeMembership(change('demote', 4));
    cluster.stabilize();
    expect(cluster.node(4).status.membership.learners).toEqual([4]);
    cluster.partition([1, 2, 3], [4]);
    leader.core.proposeMembership(change('remove', 4));
    cluster.stabilize();
    cluster.run(30);
    cluster.heal();
    cluster.run(60);
    expect(cluster.node(4).status.removed).toBe(true);
    expect(leader.status).toMatchObject({ role: 'leader', term: 1 });
  });

  test('a removal is told at once to who is removed, whatever else is under way', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4] });
    const leader = cluster.elect(1);
    leader.core.proposeMembership(change('demote', 4));
    cluster.stabilize();
    leader.core.proposeMembership(change('remove', 4));
    // The others have committed it before its own answer is there.
    cluster.drop((message) => message.kind === 'append-response' && message.from === 4);
    cluster.stabilize();
    expect(cluster.node(4).status.removed).toBe(true);
  });

  test.each([2, 3])(
    'of %i voters a leader that inherits its own demotion steps down, stays as learner, and the rest go on',
    (voters) => {
      const cluster = new CoreCluster({ voters: [1, 2, 3].slice(0, voters) });
      const heir = cluster.node(2);
      cluster.elect(1);
      cluster.run(2);
      cluster.drop((message) => message.kind === 'append-response');
      cluster.node(1).core.proposeMembership(change('demote', 2));
      cluster.stabilize();
      cluster.heal();
      cluster.partition([1], [2], [3]);
      // Cut off for a while, the leader stops leading.
      cluster.run(25);
      cluster.heal();
      cluster.drop((message) => message.kind === 'pre-vote' && message.from !== 2);
      cluster.run(40);
      expect(heir.status).toMatchObject({ role: 'follower', membership: { learners: [2] } });
      cluster.heal();
      cluster.run(60);
      expect(cluster.leader?.status.membership).toMatchObject({ learners: [2] });
      cluster.leader?.propose('x');
      cluster.run(2);
      expect(heir.status).toMatchObject({ role: 'follower', removed: false });
      expect(heir.commands).toEqual(['x']);
    },
  );

  test('two voters become one without standing still', () => {
    const cluster = new CoreCluster({ voters: [1, 2] });
    const leader = cluster.elect(1);
    cluster.run(2);
    leave(cluster, 2);
    cluster.node(2).crash();
    leader.propose('alone');
    cluster.run(30);
    expect(leader.commands).toEqual(['alone']);
  });

  test('two voters: a crash before the demotion is committed leaves both counted', () => {
    const cluster = new CoreCluster({ voters: [1, 2] });
    const leader = cluster.elect(1);
    cluster.partition([1], [2]);
    leader.core.proposeMembership(change('demote', 2));
    cluster.settle();
    leader.restart();
    cluster.run(60);
    expect(cluster.leader).toBeUndefined();
    cluster.heal();
    cluster.run(60);
    expect(cluster.leader).toBeDefined();
    expect(leader.status.commit).toBeGreaterThan(1);
  });

  test('two voters: a power cut before it is on disk that a demotion is committed leaves one who can lead', () => {
    const cluster = new CoreCluster({ voters: [1, 2] });
    const leader = cluster.elect(1);
    cluster.run(2);
    cluster.drop((message) => message.kind === 'append-response');
    leader.core.proposeMembership(change('demote', 2));
    cluster.stabilize();
    // The other voter's log is now the longer one on disk, so the leader cannot get its vote.
    leader.slowDisk = true;
    leader.propose('x');
    cluster.stabilize();
    expect(cluster.node(2).disk.durableLast).toBeGreaterThan(leader.disk.durableLast);
    cluster.heal();
    cluster.run(2);
    const { commit, membership } = leader.status;
    expect(commit).toBe(2);
    expect([membership.voters, cluster.node(2).status.membership.voters]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    leader.restart();
    leader.slowDisk = false;
    cluster.run(100);
    expect(cluster.leader).toBeDefined();
  });

  test('two voters: a demotion takes effect, and is told, once it is on disk that it is committed', () => {
    const cluster = new CoreCluster({ voters: [1, 2] });
    const leader = cluster.elect(1);
    cluster.run(2);
    leader.core.proposeMembership(change('demote', 2));
    cluster.settle();
    leader.slowDisk = true;
    cluster.run(2);
    expect(leader.status).toMatchObject({ commit: 2, applied: 1 });
    expect(cluster.node(2).status).toMatchObject({ commit: 1 });
    while (leader.persistOne());
    cluster.run(2);
    expect(leader.status).toMatchObject({ applied: 2, membership: { voters: [1] } });
    cluster.node(2).crash();
    leader.restart();
    leader.slowDisk = false;
    cluster.run(60);
    expect(leader.status).toMatchObject({ role: 'leader', membership: { voters: [1] } });
  });

  test('two voters: a power cut of the leader at any moment of a removal leaves one that can lead', () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = new SeededRandom(seed);
      const cluster = new CoreCluster({ voters: [1, 2], seed });
      const leader = cluster.elect(1);
      leader.slowDisk = true;
      leader.core.proposeMembership(change('demote', 2));
      // Entries after the change reach the other before they are durable here: it has the longer log.
      for (let step = random.below(30); step > 0; step--) {
        const kind = random.below(6);
        if (kind === 5) leader.core.proposeMembership(change('remove', 2));
        else if (kind === 0) leader.propose(`step ${step}`);
        else if (kind === 1) leader.persistOne();
        else if (kind === 2) leader.core.tick();
        else if (kind === 3) cluster.settle();
        else cluster.deliverMatching(() => true);
      }
      leader.slowDisk = false;
      cluster.wire = [];
      leader.restart();
      // A driver ends a node that was removed.
      if (cluster.node(2).status.removed) cluster.node(2).crash();
      cluster.run(80);
      const { commit } = leader.status;
      cluster.leader?.propose('after');
      cluster.run(3);
      expect(leader.status.commit, `seed ${seed}`).toBeGreaterThan(commit);
    }
  });

  test('the last voter is neither removed nor demoted', () => {
    const cluster = new CoreCluster({ voters: [1], learners: [2] });
    const leader = cluster.elect(1);
    for (const kind of ['remove', 'demote'] as const) {
      expect(leader.core.proposeMembership(change(kind, 1))).toMatchObject({
        kind: 'refused',
        because: 'node 1 is the last voter',
      });
    }
  });

  test('a smaller majority commits at once what it already holds', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4, 5] });
    const leader = cluster.elect(1);
    cluster.run(2);
    leader.core.proposeMembership(change('demote', 5));
    cluster.settle();
    cluster.partition([1, 2, 3]);
    cluster.stabilize();
    leader.core.proposeMembership(change('demote', 4));
    cluster.stabilize();
    cluster.partition([1, 2]);
    leader.propose('x');
    cluster.stabilize();
    expect(leader.status.membership.voters).toEqual([1, 2, 3]);
    expect(leader.commands).toEqual(['x']);
  });

  test('a snapshot brings the membership that it was taken in', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    cluster.stabilize();
    leave(cluster, 3);
    leader.core.proposeMembership(addLearner(4));
    cluster.stabilize();
    leader.compact();
    const joiner = cluster.add(nodeId(4), NOBODY);
    cluster.run(5);
    expect(joiner.status.firstIndex).toBeGreaterThan(1);
    expect(joiner.status.membership).toEqual({ voters: [1, 2], learners: [4], removed: [3] });
    joiner.restart();
    expect(joiner.status.membership).toEqual({ voters: [1, 2], learners: [4], removed: [3] });
  });

  test('answers of a stranger are not counted', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    cluster.partition([1]);
    leader.propose('x');
    cluster.settle();
    for (const from of [8, 9]) {
      const said = { from: nodeId(from), to: nodeId(1), term: term(1) };
      const none = { hintIndex: logIndex(0), hintTerm: term(0) };
      leader.core.step({
        kind: 'append-response',
        ...said,
        index: logIndex(2),
        reject: false,
        ...none,
      });
    }
    expect(leader.status.commit).toBe(1);
  });
});
