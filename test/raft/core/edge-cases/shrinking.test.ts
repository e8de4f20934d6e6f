import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../../src/lib/index.ts';
import type { Message } from '../../../../src/raft/core/index.ts';
import { CoreCluster } from '../../../harness/core-cluster.ts';
import { type CoreNode, nodeId } from '../../../harness/core-node.ts';

const demote = (id: number) => ({ kind: 'demote', node: nodeId(id) }) as const;
/** Tells that the entry at `index` is committed. */
const tells = (message: Message, index = 2) =>
  (message.kind === 'append' || message.kind === 'heartbeat') && message.commit >= index;

/** Node 1 leads, and everyone knows that its first entry is committed. */
function led(voters: readonly number[], learners: readonly number[] = []) {
  const cluster = new CoreCluster({ voters, learners });
  const leader = cluster.elect(1);
  cluster.run(2);
  return { cluster, leader };
}

/** Stops `ids` for good, repairs the rest, and waits for a leader that can commit. */
function survivorsGoOn(cluster: CoreCluster, ...ids: readonly number[]): CoreNode | undefined {
  for (const id of ids) cluster.node(id).crash();
  cluster.heal();
  cluster.wire = [];
  cluster.run(100);
  const { leader } = cluster;
  const commit = leader?.status.commit ?? 0;
  leader?.propose('after');
  cluster.run(3);
  return (leader?.status.commit ?? 0) > commit ? leader : undefined;
}

describe('taking a vote away', () => {
  test('four voters become three: with the leader lost before it told anyone, the rest elect', () => {
    const { cluster, leader } = led([1, 2, 3, 4]);
    cluster.partition([1, 2, 4], [3]);
    cluster.drop(tells);
    leader.core.proposeMembership(demote(4));
    cluster.stabilize();
    expect(leader.status.membership.voters).toEqual([1, 2, 3]);
    expect(cluster.node(2).status.membership.voters).toEqual([1, 2, 3, 4]);
    expect(leader.status.settled).toBe(false);
    expect(survivorsGoOn(cluster, 1)?.status.membership.voters).toEqual([1, 2, 3]);
  });

  test('a vote that is taken away is settled when a majority of the rest would know it after a power cut', () => {
    const { cluster, leader } = led([1, 2, 3, 4]);
    cluster.partition([1, 2, 4], [3]);
    leader.core.proposeMembership(demote(4));
    cluster.node(2).slowDisk = true;
    cluster.run(2);
    expect(leader.status.settled).toBe(false);
    for (let tick = 0; tick < 4; tick++) {
      while (cluster.node(2).persistOne());
      cluster.run(1);
    }
    cluster.node(2).slowDisk = false;
    expect(leader.status.settled).toBe(true);
    // Two of the three have it now, so the fourth may go.
    expect(cluster.node(2).disk.hard.commit).toBeGreaterThanOrEqual(2);
    expect(survivorsGoOn(cluster, 1, 4)).toBeDefined();
  });

  test('no further change before the last one is settled', () => {
    const { cluster, leader } = led([1, 2, 3, 4, 5]);
    leader.core.proposeMembership(demote(5));
    cluster.partition([1, 2, 3], [4, 5]);
    cluster.run(2);
    expect(leader.status).toMatchObject({ settled: true, membership: { voters: [1, 2, 3, 4] } });
    cluster.partition([1, 2, 3]);
    const change = leader.core.proposeMembership(demote(4));
    const index = change.kind === 'accepted' ? change.last : 0;
    cluster.drop((message) => tells(message, index));
    cluster.stabilize();
    expect(leader.status).toMatchObject({ settled: false, membership: { voters: [1, 2, 3] } });
    expect(leader.core.proposeMembership(demote(3)).kind).toBe('refused');
  });

  test('who lost its vote and has the longest log tells the others that they are enough', () => {
    const { cluster, leader } = led([1, 2, 3, 4]);
    cluster.partition([1, 2, 4], [3]);
    cluster.drop((message) => message.to === 2 && tells(message));
    leader.core.proposeMembership(demote(4));
    cluster.stabilize();
    leader.propose('only the fourth has this');
    cluster.stabilize();
    const fourth = cluster.node(4);
    expect(fourth.status).toMatchObject({ membership: { voters: [1, 2, 3] }, lastIndex: 4 });
    expect(cluster.node(2).status).toMatchObject({ commit: 1, lastIndex: 2 });
    expect([2, 3]).toContain(survivorsGoOn(cluster, 1)?.id);
  });

  test('who knows of a promotion and has the shorter log tells the one that was promoted', () => {
    const { cluster, leader } = led([1, 2, 3], [4]);
    cluster.drop((message) => message.to === 4 && tells(message));
    leader.core.proposeMembership({ kind: 'promote', node: nodeId(4) });
    cluster.partition([1, 2, 4], [3]);
    cluster.run(2);
    expect(cluster.node(2).status.membership.voters).toEqual([1, 2, 3, 4]);
    // The promoted node alone gets what comes next, and not that it is a voter.
    cluster.partition([1, 4]);
    cluster.heal();
    cluster.drop((message) => message.to !== 1 && message.to !== 4);
    leader.propose('only the fourth has this');
    cluster.settle();
    cluster.wire = cluster.wire.map((message) =>
      message.kind === 'append' && message.to === 4
        ? { ...message, commit: cluster.node(4).status.commit }
        : message,
    );
    cluster.stabilize();
    expect(cluster.node(4).status).toMatchObject({ membership: { voters: [1, 2, 3] } });
    expect(cluster.node(4).status.lastIndex).toBeGreaterThan(cluster.node(2).status.lastIndex);
    expect(survivorsGoOn(cluster, 1)?.id).toBe(4);
  });

  test('a candidate that learns of a change in an answer asks again among those who count now', () => {
    const { cluster, leader } = led([1, 2, 3, 4]);
    cluster.partition([1, 2, 4], [3]);
    cluster.drop((message) => message.to === 2 && tells(message));
    leader.core.proposeMembership(demote(4));
    cluster.stabilize();
    leader.crash();
    cluster.partition([2, 4]);
    cluster.tick(4, 20);
    cluster.tick(2, 20);
    cluster.settle();
    expect(cluster.node(2).status.role).toBe('pre-candidate');
    cluster.stabilize();
    expect(cluster.node(2).status).toMatchObject({
      role: 'follower',
      membership: { voters: [1, 2, 3], learners: [4] },
    });
  });

  test('what a vote says is committed is not believed of a log that differs', () => {
    const { cluster, leader } = led([1, 2, 3]);
    const node = cluster.node(2);
    cluster.drop((message) => message.kind === 'append-response');
    leader.propose('not committed');
    cluster.stabilize();
    const { commit, lastIndex, term } = node.status;
    expect(lastIndex).toBeGreaterThan(commit);
    const asks = { from: nodeId(3), to: nodeId(2), term, lastIndex, lastTerm: term };
    const other = (term + 1) as typeof term;
    const vote = { kind: 'pre-vote', ...asks, transfer: false, commit: lastIndex } as const;
    node.core.step({ ...vote, commitTerm: other });
    expect(node.status.commit).toBe(commit);
    node.core.step({ ...vote, commitTerm: term });
    expect(node.status.commit).toBe(lastIndex);
  });

  test('a voter is demoted before it is removed, and a leader hands over before it is demoted', () => {
    const { leader } = led([1, 2, 3]);
    expect(leader.core.proposeMembership({ kind: 'remove', node: nodeId(3) })).toEqual({
      kind: 'refused',
      because: 'node 3 is a voter: demote it first',
    });
    expect(leader.core.proposeMembership(demote(1))).toEqual({
      kind: 'refused',
      because: 'node 1 leads: transfer leadership first',
    });
  });

  test('whatever is lost, and whenever, within what those who are left can bear: they go on', () => {
    for (let seed = 1; seed <= 400; seed++) {
      expect(new Shrinking(seed).run(), `seed ${seed}`).toBeDefined();
    }
  });
});

/** One vote is taken away while messages and disks are slow; then nodes are lost for good. */
class Shrinking {
  readonly #random: SeededRandom;
  readonly #cluster: CoreCluster;
  readonly #leaver: number;
  /** The operator was told that the vote is gone, and may stop the node. */
  #isTold = false;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.#leaver = 2 + (seed % 5);
    const voters = Array.from({ length: this.#leaver }, (_, at) => at + 1);
    this.#cluster = new CoreCluster({ voters, seed });
  }

  /** @returns who leads in the end. */
  run(): CoreNode | undefined {
    const cluster = this.#cluster;
    cluster.elect(1);
    cluster.run(2);
    for (const node of cluster.nodes.values()) node.slowDisk = true;
    cluster.node(1).core.proposeMembership(demote(this.#leaver));
    for (let step = this.#random.below(90); step > 0; step--) this.#step();
    for (const node of cluster.nodes.values()) {
      node.slowDisk = false;
      // A power cut takes what was known and not written down.
      if (node.alive && this.#random.below(2) === 0) node.restart();
      else while (node.persistOne());
    }
    return survivorsGoOn(cluster, ...this.#lost());
  }

  #step(): void {
    const cluster = this.#cluster;
    const { leader } = cluster;
    const id = 1 + this.#random.below(this.#leaver);
    const kind = this.#random.below(20);
    if (kind < 9) this.#deliverOne();
    else if (kind < 14) cluster.node(id).persistOne();
    else if (kind < 16) cluster.tick(leader?.id ?? id);
    else if (kind < 17) cluster.tick(id, this.#random.below(12));
    else if (kind < 18) leader?.propose(`c${this.#random.below(1_000)}`);
    else if (kind < 19) this.#loseOne();
    else if (this.#isTold) {
      leader?.core.proposeMembership({ kind: 'remove', node: nodeId(this.#leaver) });
    }
    cluster.settle();
    const told = leader?.alive === true && leader.status.settled;
    if (told && !leader.status.membership.voters.includes(nodeId(this.#leaver)))
      this.#isTold = true;
    // A driver ends a node that was removed.
    for (const node of cluster.nodes.values()) if (node.status.removed) node.crash();
  }

  #deliverOne(): void {
    const { wire } = this.#cluster;
    const message = wire[this.#random.below(Math.max(1, Math.min(6, wire.length)))];
    if (message === undefined) return;
    this.#cluster.wire = wire.filter((other) => other !== message);
    this.#cluster.deliver(message);
  }

  #loseOne(): void {
    const { wire } = this.#cluster;
    const lost = this.#random.below(Math.max(1, wire.length));
    this.#cluster.wire = wire.filter((_, at) => at !== lost);
  }

  /** As many as those who are left can bear, and who was taken out, once it may go. */
  #lost(): readonly number[] {
    const bearable = Math.floor((this.#leaver - 2) / 2);
    const ids = [...this.#cluster.nodes.keys()].filter(
      (id) => !this.#isTold || id !== this.#leaver,
    );
    const lost: number[] = this.#isTold ? [this.#leaver] : [];
    for (let count = 0; count < bearable; count++) {
      lost.push(...ids.splice(this.#random.below(ids.length), 1));
    }
    return lost;
  }
}
