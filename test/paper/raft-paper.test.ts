import { describe, expect, test } from 'vitest';
import { utf8Bytes } from '../../src/lib/index.ts';
import type { Entry, Message } from '../../src/raft/core/index.ts';
import { CoreCluster } from '../harness/core-cluster.ts';
import { logIndex, NOTHING_COMMITTED, nodeId, term } from '../harness/core-node.ts';

/** Claims of "In Search of an Understandable Consensus Algorithm" (Ongaro and Ousterhout 2014). */

const entries = (...terms: readonly number[]): Entry[] =>
  terms.map((value, at) => ({
    term: term(value),
    index: logIndex(at + 1),
    kind: 'command',
    data: utf8Bytes(`${value}-${at + 1}`),
  }));

const preset = (cluster: CoreCluster, id: number, inTerm: number, log: readonly Entry[]): void => {
  const node = cluster.node(id);
  node.disk.preset({ term: term(inTerm), vote: undefined, commit: logIndex(0) }, log);
  node.restart();
};

const vote = (from: number, to: number, inTerm: number, last: readonly [number, number]) =>
  ({
    kind: 'vote',
    from: nodeId(from),
    to: nodeId(to),
    term: term(inTerm),
    lastIndex: logIndex(last[0]),
    lastTerm: term(last[1]),
    transfer: false,
    ...NOTHING_COMMITTED,
  }) satisfies Message;

const heartbeat = (from: number, to: number, inTerm: number) =>
  ({
    kind: 'heartbeat',
    from: nodeId(from),
    to: nodeId(to),
    term: term(inTerm),
    commit: logIndex(0),
    context: 0,
  }) satisfies Message;

const answered = (cluster: CoreCluster, kind: Message['kind']) =>
  cluster.wire.filter((message) => message.kind === kind);

describe('5.1 Raft basics', () => {
  test.each(['follower', 'candidate', 'leader'] as const)(
    'a %s that sees a later term takes it and becomes a follower',
    (role) => {
      const cluster = new CoreCluster({ voters: [1, 2, 3] });
      const node = cluster.node(1);
      if (role === 'leader') cluster.elect(1);
      if (role === 'candidate') {
        node.core.step(heartbeat(2, 1, 1));
        node.core.step({ kind: 'timeout-now', from: nodeId(2), to: nodeId(1), term: term(1) });
      }
      expect(node.status.role).toBe(role);
      node.core.step(heartbeat(3, 1, 9));
      expect(node.status).toMatchObject({ role: 'follower', term: 9, leader: 3 });
    },
  );

  test('a request of an earlier term is rejected', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.node(1).core.step(heartbeat(3, 1, 5));
    cluster.settle();
    cluster.wire = [];
    cluster.node(1).core.step(heartbeat(2, 1, 4));
    cluster.settle();
    expect(cluster.wire).toMatchObject([{ kind: 'append-response', to: 2, term: 5, reject: true }]);
    expect(cluster.node(1).status.leader).toBe(3);
  });
});

describe('5.2 Leader election', () => {
  test('a node starts as follower', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    expect(cluster.node(1).status).toMatchObject({ role: 'follower', term: 0, leader: undefined });
  });

  test('a leader sends heartbeats at every interval', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1);
    cluster.tick(1);
    cluster.settle();
    expect(answered(cluster, 'heartbeat').map((message) => message.to)).toEqual([2, 3]);
  });

  test('a candidate increments its term, votes for itself and asks all others', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4, 5] });
    const node = cluster.node(1);
    node.core.step(heartbeat(2, 1, 3));
    node.core.step({ kind: 'timeout-now', from: nodeId(2), to: nodeId(1), term: term(3) });
    cluster.settle();
    expect(node.disk.hard).toMatchObject({ term: 4, vote: 1 });
    const asked = answered(cluster, 'vote');
    expect(asked.map((message) => message.to)).toEqual([2, 3, 4, 5]);
    expect(new Set(asked.map((message) => message.term))).toEqual(new Set([4]));
  });

  test.each([
    [1, 0, 'leader'],
    [3, 1, 'leader'],
    [3, 0, 'candidate'],
    [5, 2, 'leader'],
    [5, 1, 'candidate'],
  ])('of %i voters, own vote and %i more make a %s', (count, grants, role) => {
    const voters = Array.from({ length: count }, (_, at) => at + 1);
    const cluster = new CoreCluster({ voters });
    const node = cluster.node(1);
    node.core.step(heartbeat(9, 1, 1));
    node.core.step({ kind: 'timeout-now', from: nodeId(9), to: nodeId(1), term: term(1) });
    cluster.settle();
    for (let from = 2; from < 2 + grants; from++) {
      const said = { from: nodeId(from), to: nodeId(1), term: term(2) };
      node.core.step({ kind: 'vote-response', ...said, reject: false, ...NOTHING_COMMITTED });
    }
    expect(node.status.role).toBe(role);
  });

  test('a node votes for at most one candidate a term, first come first served', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    for (const from of [1, 2, 1]) cluster.node(3).core.step(vote(from, 3, 1, [0, 0]));
    cluster.settle();
    expect(answered(cluster, 'vote-response')).toMatchObject([
      { to: 1, reject: false },
      { to: 2, reject: true },
      { to: 1, reject: false },
    ]);
  });

  test('a candidate that hears from a leader of its term follows it', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const node = cluster.node(1);
    node.core.step(heartbeat(2, 1, 1));
    node.core.step({ kind: 'timeout-now', from: nodeId(2), to: nodeId(1), term: term(1) });
    expect(node.status).toMatchObject({ role: 'candidate', term: 2 });
    node.core.step(heartbeat(3, 1, 2));
    expect(node.status).toMatchObject({ role: 'follower', leader: 3 });
  });

  test('election timeouts are random within one and two timeouts', () => {
    const patience = new Set<number>();
    for (let seed = 1; seed <= 200; seed++) {
      const cluster = new CoreCluster({ voters: [1, 2, 3], seed });
      let ticks = 0;
      while (cluster.node(1).status.role === 'follower') {
        cluster.tick(1);
        ticks += 1;
      }
      patience.add(ticks);
    }
    expect([...patience].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe('5.3 Log replication', () => {
  test('an entry is committed once a majority holds it, and every node applies it in log order', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4, 5] });
    const leader = cluster.elect(1);
    cluster.partition([1, 2], [3, 4, 5]);
    leader.propose('a', 'b');
    cluster.stabilize();
    expect(leader.commands).toEqual([]);
    cluster.partition([1, 2, 3]);
    cluster.run(2);
    expect(leader.commands).toEqual(['a', 'b']);
    cluster.heal();
    cluster.run(2);
    for (const node of cluster.nodes.values()) expect(node.commands).toEqual(['a', 'b']);
  });

  test('committing an entry commits all before it, those of earlier leaders too', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    preset(cluster, 1, 2, entries(1, 2));
    preset(cluster, 2, 2, entries(1));
    preset(cluster, 3, 2, []);
    cluster.elect(1);
    for (const node of cluster.nodes.values()) expect(node.commands).toEqual(['1-1', '2-2']);
  });

  // Figure 7: the leader of term 8 brings each of these logs to its own.
  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  test.each([
    ['a', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', [1, 1, 1, 4]],
    ['c', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e', [1, 1, 1, 4, 4, 4, 4]],
    ['f', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('figure 7 (%s): the follower’s log becomes the leader’s', (_, log) => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    preset(cluster, 1, 7, entries(...leaderLog));
    preset(cluster, 2, 7, entries(...log));
    preset(cluster, 3, 7, []);
    const leader = cluster.elect(1);
    cluster.run(3);
    expect(leader.status).toMatchObject({ role: 'leader', term: 8, commit: 11 });
    expect(cluster.node(2).log()).toEqual(leader.log());
  });

  test('an append whose preceding entry does not match is rejected, and changes nothing', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    preset(cluster, 3, 2, entries(1, 2));
    const follower = cluster.node(3);
    follower.core.step({
      kind: 'append',
      from: nodeId(1),
      to: nodeId(3),
      term: term(3),
      prevIndex: logIndex(2),
      prevTerm: term(3),
      entries: [],
      commit: logIndex(2),
    });
    cluster.settle();
    expect(cluster.wire).toMatchObject([{ kind: 'append-response', reject: true, index: 2 }]);
    expect(follower.status).toMatchObject({ commit: 0, lastIndex: 2 });
  });
});

describe('5.4 Safety', () => {
  test.each([
    ['a later last term', [1, 3], true],
    ['the same log', [2, 2], true],
    ['a longer log of the same term', [3, 2], true],
    ['a shorter log of the same term', [1, 2], false],
    ['a longer log of an earlier term', [9, 1], false],
  ] as const)('5.4.1: a candidate with %s', (_, last, granted) => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    preset(cluster, 3, 2, entries(1, 2));
    cluster.node(3).core.step(vote(1, 3, 5, last));
    cluster.settle();
    expect(answered(cluster, 'vote-response')).toMatchObject([{ reject: !granted }]);
  });

  test('5.4.2: only entries of the leader’s own term are committed by counting', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    preset(cluster, 1, 2, entries(1, 2));
    preset(cluster, 2, 2, entries(1, 2));
    cluster.drop((message) => message.kind === 'append');
    const leader = cluster.elect(1);
    const said = { from: nodeId(2), to: nodeId(1), term: term(3), reject: false };
    const none = { hintIndex: logIndex(0), hintTerm: term(0) };
    leader.core.step({ kind: 'append-response', ...said, index: logIndex(2), ...none });
    expect(leader.status.commit).toBe(0);
    leader.core.step({ kind: 'append-response', ...said, index: logIndex(3), ...none });
    expect(leader.status.commit).toBe(3);
  });
});

describe('8 Client interaction', () => {
  test('a leader opens its term with an entry that does nothing', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    expect(cluster.elect(1).log()).toEqual(['1:empty']);
  });
});
