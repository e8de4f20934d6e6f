import { describe, expect, test } from 'vitest';
import type { Message } from '../../../../src/raft/core/index.ts';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import { logIndex, nodeId, term } from '../../../harness/core-node.ts';

const threeLedBy1 = () => {
  const cluster = new CoreCluster({ voters: [1, 2, 3] });
  return { cluster, leader: cluster.elect(1) };
};

describe('reads', () => {
  test('read-index answers only after a majority has confirmed the leader', () => {
    const { cluster, leader } = threeLedBy1();
    leader.core.readIndex(7);
    cluster.settle();
    expect(leader.reads).toEqual([]);
    cluster.deliverMatching((message) => message.kind === 'heartbeat' && message.to === 2);
    cluster.deliverMatching((message) => message.kind === 'heartbeat-response');
    expect(leader.reads).toEqual([{ context: 7, index: 1 }]);
  });

  test('all reads between two Readys share one round of heartbeats', () => {
    const { cluster, leader } = threeLedBy1();
    for (let context = 1; context <= 100; context++) leader.core.readIndex(context);
    cluster.settle();
    expect(cluster.wire).toHaveLength(2);
    cluster.stabilize();
    expect(leader.reads).toHaveLength(100);
  });

  test('a read on a follower gets the leader’s index', () => {
    const { cluster, leader } = threeLedBy1();
    leader.propose('a', 'b');
    cluster.stabilize();
    cluster.node(3).core.readIndex(11);
    cluster.node(3).core.readIndex(12);
    cluster.stabilize();
    expect(cluster.node(3).reads).toEqual([
      { context: 11, index: 3 },
      { context: 12, index: 3 },
    ]);
  });

  test('a lone voter confirms itself', () => {
    const cluster = new CoreCluster({ voters: [1] });
    const only = cluster.elect(1);
    only.core.readIndex(3);
    cluster.stabilize();
    expect(only.reads).toEqual([{ context: 3, index: 1 }]);
  });

  test('etcd #7331, #12680: a new leader’s reads wait for its first commit', () => {
    const { cluster } = threeLedBy1();
    cluster.drop((message) => message.kind === 'append');
    cluster.node(1).crash();
    const leader = cluster.elect(2);
    cluster.run(15);
    expect(cluster.leader?.id).toBe(2);
    leader.core.readIndex(5);
    cluster.run(2);
    expect(leader.reads).toEqual([]);
    cluster.heal();
    cluster.run(3);
    expect(leader.reads).toEqual([{ context: 5, index: leader.status.commit }]);
  });

  test('etcd #20418: acknowledgements of an earlier round do not confirm a later one', () => {
    const { cluster, leader } = threeLedBy1();
    leader.core.readIndex(1);
    cluster.settle();
    cluster.deliverMatching((message) => message.kind === 'heartbeat');
    const late = cluster.wire.filter((message) => message.kind === 'heartbeat-response');
    expect(late).toHaveLength(2);
    cluster.wire = [];
    // The caller's retry, under the same id.
    leader.core.readIndex(1);
    cluster.settle();
    for (const message of late) leader.core.step(message);
    cluster.settle();
    expect(leader.reads).toHaveLength(1);
    cluster.stabilize();
    expect(leader.reads).toHaveLength(2);
  });

  test('etcd raft #397: a follower’s retried id is not answered by the first question’s answer', () => {
    const { cluster, leader } = threeLedBy1();
    const asker = cluster.node(3);
    asker.core.readIndex(9);
    cluster.settle();
    cluster.deliverMatching((message) => message.kind === 'read-index');
    cluster.deliverMatching((message) => message.kind === 'heartbeat');
    cluster.deliverMatching((message) => message.kind === 'heartbeat-response');
    const late = cluster.wire.filter((message) => message.kind === 'read-index-response');
    cluster.wire = [];
    for (let i = 0; i < 12; i++) {
      cluster.tick(3);
      cluster.tick(1);
      cluster.deliverMatching((message) => message.kind === 'heartbeat');
      cluster.deliverMatching((message) => message.kind === 'heartbeat-response');
    }
    expect(asker.failedReads).toEqual([9]);
    leader.propose('newer');
    cluster.stabilize();
    asker.core.readIndex(9);
    cluster.settle();
    for (const message of late) asker.core.step(message);
    cluster.settle();
    expect(asker.reads).toEqual([]);
    cluster.stabilize();
    expect(asker.reads).toEqual([{ context: 9, index: 2 }]);
  });

  test('an answer meant for this node’s last life answers nothing', () => {
    const { cluster } = threeLedBy1();
    const asker = cluster.node(3);
    asker.core.readIndex(1);
    cluster.settle();
    cluster.deliverMatching((message) => message.kind !== 'read-index-response');
    cluster.deliverMatching((message) => message.kind !== 'read-index-response');
    cluster.deliverMatching((message) => message.kind !== 'read-index-response');
    const late = cluster.wire.filter((message) => message.kind === 'read-index-response');
    expect(late).toHaveLength(1);
    cluster.wire = [];
    asker.restart();
    cluster.run(2);
    asker.core.readIndex(1);
    for (const message of late) asker.core.step(message);
    cluster.settle();
    expect(asker.reads).toEqual([]);
  });

  test('a deposed leader confirms nothing', () => {
    const { cluster, leader } = threeLedBy1();
    cluster.partition([1], [2, 3]);
    leader.core.readIndex(4);
    cluster.node(2).core.tick();
    cluster.elect(2);
    cluster.run(30);
    expect(leader.reads).toEqual([]);
    expect(leader.failedReads).toEqual([4]);
  });

  test('etcd #21375: when leadership ends with an answer ready, the read fails', () => {
    const { cluster, leader } = threeLedBy1();
    leader.core.readIndex(6);
    cluster.settle();
    cluster.deliverMatching((message) => message.kind === 'heartbeat');
    for (const message of cluster.wire) leader.core.step(message);
    const newer = { from: nodeId(2), to: nodeId(1), term: term(5) };
    leader.core.step({ kind: 'heartbeat', ...newer, commit: logIndex(0), context: 0 });
    cluster.settle();
    expect(leader.reads).toEqual([]);
    expect(leader.failedReads).toEqual([6]);
  });

  test('etcd #3879: right after a restart, before a leader is known, a read fails', () => {
    const { cluster } = threeLedBy1();
    const node = cluster.node(2);
    node.restart();
    node.core.readIndex(8);
    cluster.settle();
    expect(node.failedReads).toEqual([8]);
  });

  test('a learner’s acknowledgement confirms nothing', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], learners: [4] });
    const leader = cluster.elect(1);
    cluster.run(1);
    leader.core.readIndex(2);
    cluster.settle();
    const fromLearner = (message: Message) =>
      message.kind === 'heartbeat' ? message.to === 4 : message.from === 4;
    cluster.deliverMatching(fromLearner);
    cluster.deliverMatching(fromLearner);
    expect(leader.reads).toEqual([]);
    cluster.stabilize();
    expect(leader.reads).toHaveLength(1);
  });

  test('a learner reads through the leader', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], learners: [4] });
    cluster.elect(1);
    cluster.run(1);
    cluster.node(4).core.readIndex(2);
    cluster.stabilize();
    expect(cluster.node(4).reads).toEqual([{ context: 2, index: 1 }]);
  });
});
