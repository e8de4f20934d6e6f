import { describe, expect, test } from 'vitest';
import { utf8Bytes } from '../../../../src/lib/index.ts';
import type { Entry, Message } from '../../../../src/raft/core/index.ts';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import { logIndex, nodeId, term } from '../../../harness/core-node.ts';

const entry = (inTerm: number, index: number, text = ''): Entry => ({
  term: term(inTerm),
  index: logIndex(index),
  kind: 'command',
  data: utf8Bytes(text),
});

const hard = (inTerm: number, commit = 0) => ({
  term: term(inTerm),
  vote: undefined,
  commit: logIndex(commit),
});

const append = (
  from: number,
  to: number,
  inTerm: number,
  prev: readonly [number, number],
  entries: readonly Entry[],
  commit = 0,
) =>
  ({
    kind: 'append',
    from: nodeId(from),
    to: nodeId(to),
    term: term(inTerm),
    prevIndex: logIndex(prev[0]),
    prevTerm: term(prev[1]),
    entries,
    commit: logIndex(commit),
  }) satisfies Message;

const accepted = (from: number, to: number, inTerm: number, index: number) =>
  ({
    kind: 'append-response',
    from: nodeId(from),
    to: nodeId(to),
    term: term(inTerm),
    index: logIndex(index),
    reject: false,
    hintIndex: logIndex(0),
    hintTerm: term(0),
  }) satisfies Message;

const appendsTo = (cluster: CoreCluster, to: number) =>
  cluster.wire.filter((message) => message.kind === 'append' && message.to === to);

describe('log and commit', () => {
  test('news of a commit rides with the next entries while others are under way', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    cluster.stabilize();
    leader.propose('a');
    cluster.settle();
    leader.propose('b');
    cluster.settle();
    const upToA = leader.status.lastIndex - 1;
    const first = appendsTo(cluster, 2)[0];
    cluster.deliverMatching((message) => message === first);
    cluster.deliverMatching((message) => message.kind === 'append-response');
    expect(leader.status.commit).toBe(upToA);
    // "b" is still on its way to both, so nothing is said of "a" yet,
    expect(cluster.wire).toHaveLength(3);
    leader.propose('c');
    cluster.settle();
    // and what follows says it.
    expect(appendsTo(cluster, 2).at(-1)).toMatchObject({ commit: upToA });
    cluster.stabilize();
    for (const id of [1, 2, 3]) expect(cluster.node(id).commands).toEqual(['a', 'b', 'c']);
  });

  test('news of a commit waits for no entries when none are under way', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.elect(1).propose('a');
    cluster.stabilize();
    for (const id of [1, 2, 3]) expect(cluster.node(id).commands).toEqual(['a']);
  });

  test('Raft figure 8: an entry of an older term on a majority is not committed alone', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    cluster.node(1).disk.preset(hard(2), [entry(1, 1), entry(2, 2)]);
    cluster.node(2).disk.preset(hard(2), [entry(1, 1), entry(2, 2)]);
    cluster.node(3).disk.preset(hard(2), [entry(1, 1)]);
    for (const node of cluster.nodes.values()) node.restart();
    cluster.drop((message) => message.kind === 'append');
    const leader = cluster.elect(1);
    expect(leader.status).toMatchObject({ role: 'leader', term: 3 });
    leader.core.step(accepted(2, 1, 3, 2));
    expect(leader.status.commit).toBe(0);
    leader.core.step(accepted(2, 1, 3, 3));
    expect(leader.status.commit).toBe(3);
  });

  test('scylla #9965: a divergent tail is not committed by an empty append', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const old = cluster.node(3);
    old.disk.preset(hard(1, 1), [entry(1, 1), entry(1, 2), entry(1, 3)]);
    old.restart();
    old.core.step(append(1, 3, 2, [1, 1], [], 9));
    expect(old.status.commit).toBe(1);
  });

  test('rabbitmq/ra #508: a heartbeat names no more than what the peer is known to hold', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    cluster.partition([1, 2]);
    leader.propose('x', 'y');
    cluster.stabilize();
    expect(leader.status.commit).toBe(3);
    cluster.tick(1);
    cluster.settle();
    const heartbeats = cluster.wire.filter((message) => message.kind === 'heartbeat');
    expect(heartbeats).toMatchObject([
      { to: 2, commit: 3 },
      { to: 3, commit: 1 },
    ]);
  });

  test('camunda #30354: while its write hangs a follower acknowledges and applies nothing', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    const slow = cluster.node(3);
    slow.slowDisk = true;
    leader.propose('x');
    cluster.stabilize();
    cluster.run(2);
    expect(leader.status.peers).toMatchObject([{ match: 2 }, { node: 3, match: 1 }]);
    expect(slow.commands).toEqual([]);
    expect(slow.status.applied).toBeLessThanOrEqual(slow.disk.durableLast);
    while (slow.persistOne());
    cluster.stabilize();
    expect(slow.commands).toEqual(['x']);
  });

  test('76f1249: a follower behind the compacted log gets a snapshot, no append from nowhere', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { inflightMax: 1 } });
    const leader = cluster.elect(1);
    cluster.partition([1, 2]);
    for (let i = 0; i < 5; i++) {
      leader.propose(`c${i}`);
      cluster.stabilize();
    }
    leader.compact();
    cluster.heal();
    const from = cluster.delivered.length;
    cluster.run(5);
    const sent = cluster.delivered.slice(from).filter((message) => message.to === 3);
    expect(sent.some((message) => message.kind === 'snapshot')).toBe(true);
    const fromNowhere = sent.filter((message) => message.kind === 'append' && message.prevTerm < 1);
    expect(fromNowhere).toEqual([]);
    expect(cluster.node(3).commands).toEqual(leader.commands);
    expect(leader.status.peers).toMatchObject([{ state: 'replicate' }, { state: 'replicate' }]);
  });

  test('0c22de0: an old append below the compacted log is answered, not a crash', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.propose('a', 'b', 'c');
    cluster.stabilize();
    cluster.run(2);
    const follower = cluster.node(2);
    follower.compact();
    follower.core.step(append(1, 2, 1, [1, 1], [entry(1, 2, 'a')], 2));
    cluster.settle();
    expect(cluster.wire).toMatchObject([{ kind: 'append-response', index: 4, reject: false }]);
  });

  test('etcd raft #149: reordered and repeated answers never move a peer backwards', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.propose('a');
    cluster.stabilize();
    leader.propose('b');
    leader.propose('c');
    cluster.settle();
    const stale = { ...accepted(2, 1, 1, 2), reject: true, hintIndex: logIndex(1) };
    for (const answer of [accepted(2, 1, 1, 4), accepted(2, 1, 1, 3), stale, stale]) {
      leader.core.step(answer);
      for (const peer of leader.status.peers) expect(peer.next).toBeGreaterThan(peer.match);
    }
    expect(leader.status.peers[0]).toMatchObject({ match: 4, next: 5, state: 'replicate' });
  });

  test('async ABA: a late receipt does not make replaced entries durable', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const node = cluster.node(3);
    node.slowDisk = true;
    node.core.step(append(1, 3, 1, [0, 0], [entry(1, 1, 'a'), entry(1, 2, 'b')]));
    node.handleReady();
    node.core.step(append(2, 3, 2, [0, 0], [entry(2, 1, 'c')]));
    node.handleReady();
    // The first leader's entries again, of the same terms, as a later leader may bring them.
    node.core.step(append(1, 3, 3, [0, 0], [entry(1, 1, 'a'), entry(1, 2, 'b')], 2));
    node.handleReady();
    node.persistOne();
    cluster.settle();
    expect(node.disk.durableLast).toBe(2);
    expect(node.commands).toEqual([]);
    node.persistOne();
    cluster.settle();
    expect(node.commands).toEqual([]);
    node.persistOne();
    cluster.settle();
    expect(node.commands).toEqual(['a', 'b']);
  });

  test('a370b6f: the uncommitted bytes return to zero, and proposals are taken again', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { uncommittedBytesMax: 10 } });
    const leader = cluster.elect(1);
    for (let round = 0; round < 20; round++) {
      expect(leader.propose('x'.repeat(30)).kind).toBe('accepted');
      expect(leader.propose('y').kind).toBe('overloaded');
      const change = { kind: 'promote', node: nodeId(9) } as const;
      expect(leader.core.proposeMembership(change).kind).toBe('refused');
      cluster.stabilize();
    }
    expect(leader.propose('x').kind).toBe('accepted');
  });

  test('e419ba5: the window’s byte count starts anew after replicate, probe, replicate', () => {
    const cluster = new CoreCluster({
      voters: [1, 2, 3],
      tuning: { appendBytesMax: 40, inflightMax: 100, uncommittedBytesMax: 100_000 },
    });
    const leader = cluster.elect(1);
    for (let round = 0; round < 30; round++) {
      cluster.partition([1, 3]);
      for (let i = 0; i < 20; i++) leader.propose(`${round}-${i}`);
      cluster.stabilize();
      leader.core.reportUnreachable(nodeId(2));
      cluster.heal();
      cluster.run(2);
    }
    expect(leader.status.peers[0]).toMatchObject({ state: 'replicate', match: 601 });
  });

  // Found on a link of 80 ms each way: copies of one large append stood before all else for a minute.
  test.each([
    ['many entries', Array.from({ length: 60 }, (_, at) => `${at} `.padEnd(2_000, 'x'))],
    ['one entry', ['y'.repeat(120_000)]],
  ])(
    'a peer that lacks %s is probed with little until it answers, then sent it once',
    (_, lacked) => {
      const cluster = new CoreCluster({
        voters: [1, 2, 3],
        tuning: { appendBytesMax: 1_000_000, uncommittedBytesMax: 1_000_000 },
      });
      const leader = cluster.elect(1);
      cluster.partition([1, 3]);
      leader.propose(...lacked);
      cluster.stabilize();
      leader.core.reportUnreachable(nodeId(2));
      cluster.heal();
      const from = cluster.delivered.length;
      const sent = () =>
        cluster.delivered
          .slice(from)
          .flatMap((one) =>
            one.kind === 'append' && one.to === 2
              ? [one.entries.reduce((sum, entry) => sum + entry.data.length, 0)]
              : [],
          );
      // Its answers take a while, and heartbeats are answered meanwhile.
      cluster.drop((one) => one.kind === 'append-response' && one.from === 2);
      cluster.run(40);
      expect(sent().length).toBeGreaterThan(5);
      expect(Math.max(...sent())).toBeLessThanOrEqual(16 * 1024);
      const probed = sent().length;
      cluster.heal();
      cluster.run(10);
      expect(cluster.node(2).commands).toEqual(lacked);
      const bytes = sent()
        .slice(probed)
        .reduce((sum, one) => sum + one, 0);
      expect(bytes).toBeLessThan(1.5 * lacked.join('').length);
    },
  );

  test('8ecce32: what is applied in pages is applied once each, in order, across a restart', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { appendBytesMax: 60 } });
    const leader = cluster.elect(1);
    const commands = Array.from({ length: 40 }, (_, at) => `c${at}`);
    leader.propose(...commands);
    cluster.stabilize();
    cluster.run(2);
    const node = cluster.node(2);
    expect(node.commands).toEqual(commands);
    node.restart();
    cluster.run(2);
    expect(node.commands).toEqual(commands);
    expect(node.status.commit).toBe(41);
  });

  test('a full window lets one probe through a heartbeat, so that lost appends heal', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { inflightMax: 2 } });
    const leader = cluster.elect(1);
    cluster.drop((message) => message.kind === 'append' && message.to === 2);
    for (let i = 0; i < 6; i++) {
      leader.propose(`c${i}`);
      cluster.stabilize();
    }
    cluster.heal();
    cluster.run(4);
    expect(cluster.node(2).commands).toEqual(leader.commands);
  });

  test('the window holds back more appends than it has places', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { inflightMax: 3 } });
    const leader = cluster.elect(1);
    cluster.wire = [];
    for (let i = 0; i < 10; i++) {
      leader.propose(`c${i}`);
      cluster.settle();
    }
    expect(appendsTo(cluster, 2)).toHaveLength(3);
  });

  test('a leader appends to peers at once but counts itself only when its write is durable', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    leader.slowDisk = true;
    cluster.partition([1, 2]);
    leader.propose('x');
    cluster.stabilize();
    expect(cluster.node(2).status.lastIndex).toBe(2);
    expect(leader.status.commit).toBe(1);
    while (leader.persistOne());
    expect(leader.status.commit).toBe(2);
  });

  test('etcd #14370: a lone voter answers only for what is durable', () => {
    const cluster = new CoreCluster({ voters: [1] });
    const only = cluster.elect(1);
    only.slowDisk = true;
    only.propose('x');
    cluster.settle();
    expect(only.commands).toEqual([]);
    while (only.persistOne());
    cluster.settle();
    expect(only.commands).toEqual(['x']);
    only.restart();
    only.slowDisk = false;
    cluster.elect(1);
    expect(only.commands).toEqual(['x']);
  });

  test('a conflict costs one probe a term, not one an entry (Raft 5.3)', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const shared = [entry(1, 1)];
    const long = [...shared];
    for (let index = 2; index <= 60; index++) long.push(entry(2, index));
    const other = [...shared];
    for (let index = 2; index <= 40; index++) other.push(entry(3, index));
    cluster.node(1).disk.preset(hard(3), other);
    cluster.node(2).disk.preset(hard(3), long);
    cluster.node(3).disk.preset(hard(3), other);
    for (const node of cluster.nodes.values()) node.restart();
    cluster.elect(1);
    const rejections = cluster.delivered.filter(
      (message) => message.kind === 'append-response' && message.reject,
    );
    expect(rejections.length).toBeLessThanOrEqual(3);
    expect(cluster.node(2).log()).toEqual(cluster.node(1).log());
  });
});

describe('snapshots', () => {
  const lagging = () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    cluster.partition([1, 2]);
    leader.propose('a', 'b', 'c');
    cluster.stabilize();
    leader.compact();
    cluster.heal();
    return { cluster, leader, behind: cluster.node(3) };
  };

  /** The disk of `id` stops answering as a snapshot arrives. */
  const hangWithSnapshot = (cluster: CoreCluster, id: number) =>
    cluster.drop((message) => {
      if (message.kind === 'snapshot' && message.to === id) cluster.node(id).slowDisk = true;
      return false;
    });

  test('camunda #6092, etcd #1763: an old snapshot never cuts a newer log', () => {
    const { cluster, behind } = lagging();
    cluster.run(4);
    const meta = cluster.delivered.find((message) => message.kind === 'snapshot');
    if (meta === undefined) throw new Error('no snapshot was sent');
    cluster.leader?.propose('d');
    cluster.stabilize();
    cluster.run(2);
    const before = behind.status;
    behind.core.step(meta);
    cluster.stabilize();
    expect(behind.status.lastIndex).toBe(before.lastIndex);
    expect(behind.commands).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a repeated snapshot below the compacted log rolls nothing back', () => {
    const { cluster, behind } = lagging();
    cluster.run(4);
    const snapshot = cluster.delivered.find((message) => message.kind === 'snapshot');
    if (snapshot === undefined) throw new Error('no snapshot was sent');
    cluster.leader?.propose('d', 'e');
    cluster.run(2);
    behind.compact();
    expect(behind.status.firstIndex).toBe(7);
    behind.core.step(snapshot);
    cluster.stabilize();
    expect(behind.status).toMatchObject({ commit: 6, lastIndex: 6, firstIndex: 7 });
    expect(behind.commands).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('a snapshot that the log already covers only moves the commit index', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const node = cluster.node(3);
    node.disk.preset(hard(1), [entry(1, 1, 'a'), entry(1, 2, 'b'), entry(1, 3, 'c')]);
    node.restart();
    const meta = { index: logIndex(2), term: term(1), membership: cluster.membership };
    node.core.step({ kind: 'snapshot', from: nodeId(1), to: nodeId(3), term: term(1), meta });
    cluster.settle();
    expect(node.status).toMatchObject({ commit: 2, lastIndex: 3 });
    expect(node.commands).toEqual(['a', 'b']);
  });

  test('etcd #18055: of two snapshots in quick succession the later one stands', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const node = cluster.node(3);
    node.slowDisk = true;
    for (const index of [5, 9]) {
      node.snapshots.set(index, [`up to ${index}`]);
      const meta = { index: logIndex(index), term: term(1), membership: cluster.membership };
      node.core.step({ kind: 'snapshot', from: nodeId(1), to: nodeId(3), term: term(1), meta });
      node.handleReady();
    }
    node.persistOne();
    expect(node.status).toMatchObject({ commit: 9, applied: 0 });
    node.persistOne();
    expect(node.status).toMatchObject({ commit: 9, applied: 9, firstIndex: 10, lastIndex: 9 });
    expect(node.commands).toEqual(['up to 9']);
  });

  test('openraft #559: a crash before the snapshot is installed leaves the old state', () => {
    const { cluster, behind } = lagging();
    hangWithSnapshot(cluster, 3);
    cluster.run(4);
    expect(behind.status.commit).toBeGreaterThan(1);
    behind.restart();
    behind.slowDisk = false;
    cluster.heal();
    expect(behind.status).toMatchObject({ lastIndex: 1, firstIndex: 1 });
    cluster.leader?.core.reportSnapshot(nodeId(3), 'failed');
    cluster.run(30);
    expect(behind.commands).toEqual(['a', 'b', 'c']);
  });

  test('nothing is applied, acknowledged or campaigned for under a snapshot being installed', () => {
    const { cluster, behind, leader } = lagging();
    hangWithSnapshot(cluster, 3);
    cluster.run(4);
    expect(behind.status.commit).toBe(4);
    expect(leader.status.peers[1]?.match).toBe(1);
    cluster.partition([1, 2]);
    cluster.tick(3, 60);
    cluster.settle();
    expect(behind.status.role).toBe('follower');
    while (behind.persistOne());
    cluster.heal();
    cluster.run(4);
    expect(behind.commands).toEqual(['a', 'b', 'c']);
  });

  test('a failed transfer is tried again', () => {
    const { cluster, leader, behind } = lagging();
    cluster.drop((message) => message.kind === 'snapshot');
    cluster.run(3);
    expect(leader.status.peers[1]).toMatchObject({ state: 'snapshot' });
    cluster.heal();
    leader.core.reportSnapshot(nodeId(3), 'failed');
    cluster.run(3);
    expect(behind.commands).toEqual(['a', 'b', 'c']);
  });

  test('no snapshot is sent to a peer that is not heard from', () => {
    const { cluster, leader } = lagging();
    cluster.partition([1, 2]);
    cluster.run(15);
    leader.core.reportUnreachable(nodeId(3));
    cluster.wire = [];
    cluster.run(5);
    expect(leader.status.peers[1]?.state).not.toBe('snapshot');
  });
});
