import { describe, expect, it } from 'vitest';
import { hasCode, utf8Bytes } from '../../../src/lib/index.ts';
import type { NodeId } from '../../../src/raft/index.ts';
import { appliedUpTo, PeerCluster, reached } from '../../harness/peer-cluster.ts';

const voters = [1, 2, 3];
const fast = { tickMs: 20, electionTicks: 10 };

async function startThree(cluster: PeerCluster): Promise<void> {
  await Promise.all(voters.map((id) => cluster.start(id, { voters })));
}

describe('three nodes over mutual TLS', () => {
  it('elect a leader, commit, read, hand over, and lose no write when the leader is killed', async () => {
    await using cluster = await PeerCluster.create(fast);
    await startThree(cluster);
    const leader = await cluster.leader();
    const proposed = await Promise.all(
      Array.from({ length: 200 }, (_, at) => leader.node.propose(utf8Bytes(`write ${at}`))),
    );
    const last = Math.max(...proposed.map(({ index }) => index));
    expect(new Set(proposed.map(({ index }) => index)).size).toBe(200);
    for (const { node } of cluster.nodes.values()) {
      expect(await node.readIndex()).toBeGreaterThanOrEqual(last);
    }
    const [target] = [...cluster.nodes.values()].filter((peer) => peer !== leader);
    await leader.node.transferLeadership(target?.node.status().node as NodeId);
    await expect(leader.node.propose(utf8Bytes('late'))).rejects.toMatchObject({
      code: 'raft.not-leader',
    });
    target?.kill();
    await target?.node.stop();
    const next = await cluster.leader();
    const after = await next.node.propose(utf8Bytes('after the kill'));
    for (const { node } of cluster.nodes.values()) await appliedUpTo(node, after.index);
    const digests = new Set([...cluster.nodes.values()].map(({ machine }) => machine.digest));
    expect(digests.size).toBe(1);
    expect(after.index).toBeGreaterThan(last);
  });

  it('bring a node that joins late up to date with a snapshot, and make it a voter', async () => {
    await using cluster = await PeerCluster.create({
      ...fast,
      segmentBytesMax: 2_000,
      logKeepBytes: 0,
      persistBytes: 4_000,
      windowBytesMax: 2_000,
    });
    await cluster.start(1, { voters: [1] });
    const leader = await cluster.leader();
    for (let at = 0; at < 50; at++) await leader.node.propose(utf8Bytes(`${at}`.repeat(100)));
    expect(leader.node.status().firstIndex).toBeGreaterThan(1);
    const joiner = await cluster.start(2);
    expect(joiner.node.status().role).toBe('recovering');
    const context = new Uint8Array();
    await leader.node.changeMembership({ kind: 'add-learner', node: 2 as NodeId, context });
    await reached(joiner.node, (status) => status.role === 'follower');
    expect(joiner.node.status().firstIndex).toBeGreaterThan(1);
    // Each write that the joiner applies brings news of how far it is; it is ready soon.
    const matched = () => leader.node.status().peers[0]?.match ?? 0;
    const promote = () => leader.node.changeMembership({ kind: 'promote', node: 2 as NodeId });
    const isRefused = (error: unknown) => hasCode(error, 'raft.membership-refused');
    while (
      matched() < joiner.node.status().applied - 2 ||
      (await promote().then(
        () => false,
        (error: unknown) => isRefused(error),
      ))
    ) {
      const { index } = await leader.node.propose(utf8Bytes('more'));
      await appliedUpTo(joiner.node, index);
    }
    const { index } = await leader.node.propose(utf8Bytes('both'));
    await appliedUpTo(joiner.node, index);
    expect(joiner.machine.digest).toBe(leader.machine.digest);
    expect(joiner.node.status().membership.voters).toEqual([1, 2]);
  });

  it('refuse a node that comes back with a wiped disk under its old id', async () => {
    await using cluster = await PeerCluster.create(fast);
    await startThree(cluster);
    const leader = await cluster.leader();
    await leader.node.propose(utf8Bytes('a write'));
    const follower = [...cluster.nodes.values()].find((peer) => peer !== leader);
    const id = follower?.node.status().node ?? 0;
    // The second start is incarnation 2; the wiped disk begins again at 1.
    await follower?.stop();
    const again = await cluster.start(id);
    await appliedUpTo(again.node, leader.node.status().applied);
    await again.stop();
    await cluster.wipe(id);
    const wiped = await cluster.start(id, { voters });
    const { index } = await leader.node.propose(utf8Bytes('with the two that are left'));
    expect(leader.node.status().applied).toBeGreaterThanOrEqual(index);
    await new Promise<void>((resolve) => {
      const off = wiped.node.onStatusChange(() => {
        off();
        resolve();
      });
    });
    // It campaigns in vain: nobody lets it speak.
    expect(wiped.node.status().role).not.toBe('leader');
    expect(wiped.node.status().applied).toBe(0);
  });
});
