import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/lib/index.ts';
import { CoreCluster } from '../../harness/core-cluster.ts';
import { nodeId } from '../../harness/core-node.ts';

/**
 * One random thing that can happen. Weights make progress likely and trouble frequent; each action
 * draws from the same seeded numbers, so that fast-check shrinks a schedule by its length.
 */
const action = fc.record({
  what: fc.integer({ min: 0, max: 99 }),
  node: fc.integer({ min: 0, max: 6 }),
  pick: fc.integer({ min: 0, max: 2 ** 30 }),
});
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class Schedule {
  readonly cluster: CoreCluster;
  readonly ids: readonly number[];
  #commands = 0;

  constructor(voters: number, seed: number) {
    this.ids = Array.from({ length: voters }, (_, at) => at + 1);
    this.cluster = new CoreCluster({
      voters: this.ids,
      seed,
      tuning: { electionTicks: 4, appendBytesMax: 96, inflightMax: 3 },
    });
    for (const id of this.ids) this.cluster.node(id).slowDisk = true;
  }

  perform({ what, node: at, pick }: Action): void {
    const { cluster } = this;
    const known = [...cluster.nodes.keys()];
    const id = known[at % known.length] ?? nodeId(1);
    const node = cluster.node(id);
    if (what < 30) {
      for (let i = 0; i <= pick % 12; i++) this.#deliverOne(pick + i * 7_919);
    } else if (what < 50) cluster.tick(id, 1 + (pick % 5));
    else if (what < 62) {
      if (node.alive) for (let i = 0; i <= pick % 3; i++) node.persistOne();
    } else if (what < 74) {
      this.#commands += 1;
      const leader = cluster.leader ?? node;
      if (leader.alive) leader.propose(`c${this.#commands}`);
    } else if (what < 80) this.#crash(id);
    else if (what < 84) this.#isolate(id);
    else if (what < 87) cluster.heal();
    else if (what < 90) {
      if (node.alive && node.writesWaiting === 0 && node.applied.index > 0) node.compact();
    } else if (what < 94) this.#changeMembership(id, pick);
    else if (what < 96) cluster.leader?.core.transferLeadership(pick % 2 === 0 ? id : undefined);
    else if (what < 98) {
      if (node.alive) node.core.readIndex(pick);
    } else this.#calm();
    cluster.settle();
    cluster.checkLogs();
    cluster.checkLeaderCompleteness();
  }

  /** Any message on the wire, once in a while twice, once in a while never. */
  #deliverOne(pick: number): void {
    const { cluster } = this;
    if (cluster.wire.length === 0) return;
    const at = pick % cluster.wire.length;
    const message = cluster.wire[at];
    if (message === undefined) return;
    if (pick % 11 !== 0) cluster.wire = cluster.wire.filter((_, index) => index !== at);
    if (pick % 13 !== 0) cluster.deliver(message);
    if (cluster.wire.length > 200) cluster.wire = cluster.wire.slice(100);
  }

  #crash(id: number): void {
    const node = this.cluster.node(id);
    if (node.alive && id % 2 === 0) node.crash();
    else node.restart();
  }

  #isolate(id: number): void {
    const others = [...this.cluster.nodes.keys()].filter((other) => other !== id);
    this.cluster.partition([id], others);
  }

  #changeMembership(id: number, pick: number): void {
    const { leader } = this.cluster;
    if (leader === undefined) return;
    if (pick % 4 === 0) {
      const fresh = nodeId(Math.max(...this.cluster.nodes.keys()) + 1);
      if (fresh > 7) return;
      const node = this.cluster.add(fresh, { voters: [], learners: [], removed: [] });
      node.slowDisk = true;
      leader.core.proposeMembership({
        kind: 'add-learner',
        node: fresh,
        context: new Uint8Array(),
      });
      return;
    }
    const kind = (['promote', 'demote', 'remove'] as const)[pick % 3] ?? 'remove';
    leader.core.proposeMembership({ kind, node: nodeId(id) });
  }

  /** A few rounds in which everything works. */
  #calm(): void {
    const { cluster } = this;
    cluster.heal();
    for (let i = 0; i < 8; i++) {
      for (const node of cluster.nodes.values()) {
        if (!node.alive) node.restart();
        node.core.tick();
      }
      for (let round = 0; round < 6; round++) {
        cluster.settle();
        for (const node of cluster.nodes.values()) while (node.persistOne());
        const now = cluster.wire;
        cluster.wire = [];
        for (const message of now) cluster.deliver(message);
      }
    }
  }

  /** Everything is repaired: the cluster must come to one leader and one state. */
  recover(): void {
    const { cluster } = this;
    cluster.heal();
    for (const node of cluster.nodes.values()) {
      node.slowDisk = false;
      if (node.alive) while (node.persistOne());
      else node.restart();
    }
    cluster.stabilize();
    cluster.run(60);
    cluster.leader?.propose('the end');
    cluster.run(20);
  }
}

const RUNS = Number(process.env['STRONGROOM_SCHEDULES'] ?? 300);

test('no schedule of crashes, losses, copies, reorderings and changes breaks safety', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 2 ** 20 }),
      fc.array(action, { minLength: 40, maxLength: 250, size: 'max' }),
      (voters, seed, actions) => {
        const schedule = new Schedule(voters, seed);
        for (const step of actions) schedule.perform(step);
        schedule.recover();
        const { leader, nodes } = schedule.cluster;
        const states = [...nodes.values()].map((node) => node.status);
        if (leader === undefined) throw new Error(`no leader: ${JSON.stringify(states)}`);
        for (const voter of leader.membership.voters) {
          expect(nodes.get(voter)?.commands).toEqual(leader.commands);
          expect(nodes.get(voter)?.commands.at(-1)).toBe('the end');
        }
      },
    ),
    { numRuns: RUNS, seed: new SeededRandom(RUNS).below(2 ** 31) },
  );
});
