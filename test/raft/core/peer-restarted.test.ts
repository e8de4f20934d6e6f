import { describe, expect, test } from 'vitest';
import { CoreCluster } from '../../harness/core-cluster.ts';
import { nodeId } from '../../harness/core-node.ts';

describe('a peer that came back as a new process', () => {
  test('is not counted for what its former process acknowledged', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3, 4, 5] });
    const leader = cluster.elect(1);
    cluster.stabilize();
    // Only 2 hears of the entry: two of five have it, and it is not committed.
    cluster.partition([1, 2], [3], [4], [5]);
    leader.propose('on two nodes');
    cluster.stabilize();
    const { commit, lastIndex } = leader.status;
    expect(commit).toBe(lastIndex - 1);
    leader.core.peerRestarted(nodeId(2));
    expect(leader.status.peers.find(({ node }) => node === 2)).toMatchObject({
      match: 0,
      state: 'probe',
    });
    // A third node has it now, but who knows whether 2 still does.
    cluster.heal();
    cluster.partition([1, 3], [2], [4], [5]);
    cluster.run(4);
    expect(leader.status.commit).toBe(commit);
    cluster.heal();
    cluster.run(4);
    expect(leader.status.commit).toBe(lastIndex);
  });

  test('keeps nothing from being committed when it has everything', () => {
    const cluster = new CoreCluster({ voters: [1, 2, 3] });
    const leader = cluster.elect(1);
    for (const node of [2, 3]) leader.core.peerRestarted(nodeId(node));
    leader.propose('again');
    cluster.stabilize();
    expect(cluster.node(2).commands).toEqual(['again']);
  });
});
