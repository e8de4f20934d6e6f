import { describe, expect, test } from 'vitest';
import type { Message } from '../../../../src/raft/core/index.ts';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import { logIndex, NOTHING_COMMITTED, nodeId, term } from '../../../harness/core-node.ts';

const voteFor = (from: number, to: number, inTerm: number, kind: 'vote' | 'pre-vote' = 'vote') =>
  ({
    kind,
    from: nodeId(from),
    to: nodeId(to),
    term: term(inTerm),
    lastIndex: logIndex(9),
    lastTerm: term(inTerm - 1),
    transfer: false,
    ...NOTHING_COMMITTED,
  }) satisfies Message;

const answers = (cluster: CoreCluster, kind: Message['kind']) =>
  cluster.wire.filter((message) => message.kind === kind);

describe('elections', () => {
  test('hashicorp #661: after a crash between vote and answer nobody else gets the vote', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const voter = cluster.node(3);
    voter.slowDisk = true;
    voter.core.step(voteFor(1, 3, 2));
    cluster.settle();
    expect(answers(cluster, 'vote-response')).toHaveLength(0);
    voter.persistOne();
    voter.restart();
    voter.slowDisk = false;
    cluster.wire = [];
    voter.core.step(voteFor(2, 3, 2));
    cluster.settle();
    expect(answers(cluster, 'vote-response')).toMatchObject([{ to: 2, reject: true }]);
  });

  test('a vote is not said before it is durable, and a crash before that may vote anew', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const voter = cluster.node(3);
    voter.slowDisk = true;
    voter.core.step(voteFor(1, 3, 2));
    cluster.settle();
    voter.restart();
    voter.slowDisk = false;
    expect(cluster.wire).toEqual([]);
    voter.core.step(voteFor(2, 3, 2));
    cluster.settle();
    expect(answers(cluster, 'vote-response')).toMatchObject([{ to: 2, reject: false }]);
  });

  test('camunda #5356: two vote requests in one term get one grant', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.node(3).core.step(voteFor(1, 3, 2));
    cluster.node(3).core.step(voteFor(2, 3, 2));
    cluster.settle();
    expect(answers(cluster, 'vote-response')).toMatchObject([
      { to: 1, reject: false },
      { to: 2, reject: true },
    ]);
  });

  test.each([
    [2, [1]],
    [4, [1, 2]],
  ])('hashicorp 163a55f: of %i voters half never elects nor commits', (count, half) => {
    const voters = Array.from({ length: count }, (_, at) => at + 1);
    const cluster = new CoreCluster({ voters });
    cluster.partition(half);
    cluster.run(100);
    expect(cluster.leader).toBeUndefined();
    cluster.heal();
    const leader = cluster.elect(1);
    cluster.partition(half);
    leader.propose('x');
    cluster.stabilize();
    expect(leader.status.commit).toBe(1);
  });

  test('d4471b2: a low-term node completes an election when the leader vanishes', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    cluster.partition([1, 2], [3]);
    cluster.node(2).core.step({ ...voteFor(1, 2, 5), transfer: true });
    cluster.stabilize();
    cluster.run(60);
    cluster.heal();
    cluster.node(1).crash();
    cluster.run(80);
    expect([2, 3]).toContain(cluster.leader?.id);
  });

  test('raft-rs #84, etcd #8334: two followers of a lost leader elect soon', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const cluster = new CoreCluster({ voters: [1, 2, 3], seed });
      cluster.elect(1);
      cluster.partition([2, 3]);
      // Two rounds, and a third for the seed in which both draw the same patience.
      cluster.run(60);
      expect([2, 3]).toContain(cluster.leader?.id);
    }
  });

  test('3c7359d: a pre-vote of a lower term is rejected with the higher term, not dropped', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const ahead = cluster.node(3);
    ahead.core.step(voteFor(2, 3, 9));
    cluster.settle();
    cluster.wire = [];
    ahead.core.step(voteFor(1, 3, 4, 'pre-vote'));
    cluster.settle();
    expect(cluster.wire).toMatchObject([{ kind: 'pre-vote-response', term: 9, reject: true }]);
    cluster.deliverMatching(() => true);
    expect(cluster.node(1).status.term).toBe(9);
  });

  test('a receipt from before the candidacy is not the candidate’s own vote', () => {
    const cluster = new CoreCluster({ voters: [1] });
    const only = cluster.node(1);
    only.slowDisk = true;
    const said = { from: nodeId(2), to: nodeId(1), term: term(3) };
    only.core.step({ kind: 'heartbeat', ...said, commit: logIndex(0), context: 0 });
    cluster.settle();
    expect(only.writesWaiting).toBe(1);
    only.core.step({ kind: 'timeout-now', ...said });
    expect(only.status).toMatchObject({ role: 'candidate', term: 4 });
    only.persistOne();
    expect(only.status.role).toBe('candidate');
    cluster.settle();
    while (only.persistOne());
    expect(only.status.role).toBe('leader');
  });

  test('hashicorp #605: the node that we follow is not turned away when it asks itself', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    cluster.wire = [];
    cluster.node(2).core.step(voteFor(3, 2, 2, 'pre-vote'));
    cluster.settle();
    expect(cluster.wire).toEqual([]);
    cluster.node(2).core.step(voteFor(1, 2, 2, 'pre-vote'));
    cluster.settle();
    expect(cluster.wire).toMatchObject([{ kind: 'pre-vote-response', to: 1, reject: false }]);
  });

  test('Cloudflare 2020: a node that cannot hear the leader does not raise the term', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    cluster.cutOneWay(1, 3);
    cluster.run(300);
    expect(cluster.node(1).status).toMatchObject({ role: 'leader', term: 1 });
    expect(Math.max(...cluster.terms)).toBe(1);
  });

  test('Cloudflare 2020: with a bridge between two halves the elections are bounded', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4, 5] });
    cluster.elect(1);
    for (const [a, b] of [
      [1, 4],
      [1, 5],
      [2, 4],
      [2, 5],
    ] as const) {
      cluster.cutOneWay(a, b);
      cluster.cutOneWay(b, a);
    }
    cluster.run(300);
    expect(cluster.leader).toBeDefined();
    expect(Math.max(...cluster.terms)).toBeLessThanOrEqual(2);
  });

  test('a ring in which everyone hears another majority keeps a leader', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4, 5], seed: 5 });
    for (let id = 1; id <= 5; id++) {
      for (const far of [2, 3]) cluster.cutOneWay(id, ((id - 1 + far) % 5) + 1);
    }
    cluster.run(200);
    const before = Math.max(...cluster.terms);
    cluster.run(200);
    expect(cluster.leader).toBeDefined();
    expect(Math.max(...cluster.terms) - before).toBeLessThanOrEqual(1);
  });

  test('canonical/raft #386: two leaders in one term stop the node that sees them', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    const heartbeat = {
      kind: 'heartbeat',
      from: nodeId(2),
      to: nodeId(3),
      term: term(1),
      commit: logIndex(0),
      context: 0,
    } as const;
    expect(() => cluster.node(3).core.step(heartbeat)).toThrow('Two leaders in one term');
  });

  test('a leader cut off from the majority steps down by itself', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    cluster.partition([1], [2, 3]);
    cluster.run(21);
    expect(cluster.node(1).status.role).not.toBe('leader');
    expect(cluster.node(1).status.term).toBe(1);
  });

  test('hashicorp #503: a leader whose disk hangs makes way', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.slowDisk = true;
    leader.propose('x');
    cluster.run(60);
    expect([2, 3]).toContain(cluster.leader?.id);
    expect(cluster.leader?.commands).toEqual(['x']);
  });

  test('etcd #20269: a node with a replaced disk is brought up again by the leader', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.propose('a', 'b');
    cluster.stabilize();
    const wiped = cluster.add(nodeId(3));
    leader.core.reportUnreachable(nodeId(3));
    cluster.run(10);
    expect(wiped.commands).toEqual(['a', 'b']);
    leader.compact();
    const again = cluster.add(nodeId(3));
    leader.core.reportUnreachable(nodeId(3));
    cluster.run(10);
    expect(again.commands).toEqual(['a', 'b']);
  });

  test('etcd #20269: a node whose acknowledged entries are gone gives no vote', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.propose('a', 'b');
    cluster.stabilize();
    cluster.add(nodeId(3));
    const wiped = cluster.node(3);
    cluster.run(2);
    expect(wiped.status).toMatchObject({ logLost: true, commit: 0 });
    cluster.wire = [];
    wiped.core.step({ ...voteFor(2, 3, 7), transfer: true });
    cluster.settle();
    expect(answers(cluster, 'vote-response')).toMatchObject([{ to: 2, reject: true }]);
  });
});
