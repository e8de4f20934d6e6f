import { SeededRandom } from '../../src/lib/index.ts';
import type { Entry, Membership, Message, NodeId, Term } from '../../src/raft/core/index.ts';
import { CoreNode, type CoreTuning, nodeId, TUNING } from './core-node.ts';

export interface ClusterShape {
  readonly voters: readonly number[];
  readonly learners?: readonly number[];
  readonly tuning?: Partial<CoreTuning>;
  readonly seed?: number;
}

/** A run of `deliverAll` that needs more rounds than this is a message storm. */
const ROUNDS_MAX = 2_000;

/**
 * Cores joined by a network whose every message a test can hold, drop, copy or reorder. What each
 * node applies and who leads each term is checked all along.
 */
export class CoreCluster {
  readonly nodes = new Map<NodeId, CoreNode>();
  /** Sent and not delivered, oldest first. */
  wire: Message[] = [];
  /** Delivered messages of all kinds, oldest first. */
  readonly delivered: Message[] = [];
  #cut: (from: NodeId, to: NodeId) => boolean = () => false;
  #dropped: (message: Message) => boolean = () => false;
  readonly #applied = new Map<number, string>();
  readonly #leaders = new Map<number, NodeId>();
  readonly #snapshots = new Map<number, string[]>();
  readonly #shape: ClusterShape;
  readonly membership: Membership;

  constructor(shape: ClusterShape) {
    this.#shape = shape;
    this.membership = {
      voters: shape.voters.map(nodeId),
      learners: (shape.learners ?? []).map(nodeId),
      removed: [],
    };
    for (const id of [...this.membership.voters, ...this.membership.learners]) this.add(id);
  }

  /** Starts a node that knows `membership`: for a newcomer, nobody. */
  add(id: NodeId, membership: Membership = this.membership): CoreNode {
    const node = new CoreNode({
      id,
      membership,
      random: new SeededRandom((this.#shape.seed ?? 1) * 1_000 + id),
      tuning: { ...TUNING, ...this.#shape.tuning },
      send: (message) => this.wire.push(message),
      onApply: (from, entry) => this.#checkApplied(from, entry),
    });
    node.snapshots = this.#snapshots;
    this.nodes.set(id, node);
    return node;
  }

  node(id: number): CoreNode {
    const node = this.nodes.get(nodeId(id));
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** State Machine Safety (Raft figure 3): one entry an index, on every node, for ever. */
  #checkApplied(node: NodeId, entry: Entry): void {
    const text = `${entry.term}:${entry.kind}:${Buffer.from(entry.data).toString('hex')}`;
    const known = this.#applied.get(entry.index);
    if (known !== undefined && known !== text) {
      throw new Error(`node ${node} applied ${text} at ${entry.index}, another node ${known}`);
    }
    this.#applied.set(entry.index, text);
  }

  /** Election Safety (Raft figure 3): one leader a term. */
  checkLeaders(): void {
    for (const { id, status, alive } of this.nodes.values()) {
      if (!alive || status.role !== 'leader') continue;
      const known = this.#leaders.get(status.term);
      if (known !== undefined && known !== id) {
        throw new Error(`nodes ${known} and ${id} both led term ${status.term}`);
      }
      this.#leaders.set(status.term, id);
    }
  }

  /** Log Matching (Raft figure 3): same index and term, same entries up to there. */
  checkLogs(): void {
    const seen = new Map<string, string>();
    for (const node of this.nodes.values()) {
      let before = '';
      for (const entry of node.disk.durableEntries) {
        const text = Buffer.from(entry.data).toString('hex');
        const place = `${entry.index}@${entry.term}`;
        const history = `${before}|${entry.kind}:${text}`;
        const known = seen.get(place);
        if (known !== undefined && known !== history && node.disk.base.index === 0) {
          throw new Error(`logs differ at or before ${place}`);
        }
        if (node.disk.base.index === 0) seen.set(place, history);
        before = `${place}:${text}`;
      }
    }
  }

  /** Every applied entry is in the log of whoever leads the highest term (Leader Completeness). */
  checkLeaderCompleteness(): void {
    let leader: CoreNode | undefined;
    for (const node of this.nodes.values()) {
      if (!node.alive || node.status.role !== 'leader') continue;
      if (leader === undefined || node.status.term > leader.status.term) leader = node;
    }
    if (leader === undefined) return;
    const { lastIndex } = leader.status;
    for (const index of this.#applied.keys()) {
      if (index > lastIndex) throw new Error(`leader ${leader.id} lacks applied entry ${index}`);
    }
  }

  /** Groups that hear one another; a node in no group hears nobody. */
  partition(...groups: readonly (readonly number[])[]): void {
    const groupOf = new Map(groups.flatMap((group, at) => group.map((id) => [nodeId(id), at])));
    this.#cut = (from, to) => {
      const group = groupOf.get(from);
      return group === undefined || group !== groupOf.get(to);
    };
  }

  /** Messages from `from` to `to` are lost; the way back stays open. */
  cutOneWay(from: number, to: number): void {
    const before = this.#cut;
    this.#cut = (a, b) => (a === from && b === to) || before(a, b);
  }

  heal(): void {
    this.#cut = () => false;
    this.#dropped = () => false;
  }

  /** Loses messages that match, from now on. */
  drop(which: (message: Message) => boolean): void {
    this.#dropped = which;
  }

  /** Every node does its work; nothing is delivered. */
  settle(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      let worked = false;
      for (const node of this.nodes.values()) worked = node.handleReady() || worked;
      this.checkLeaders();
      if (!worked) return;
    }
    throw new Error('nodes never come to rest');
  }

  deliver(message: Message): void {
    if (this.#cut(message.from, message.to) || this.#dropped(message)) return;
    const node = this.nodes.get(message.to);
    if (node?.alive !== true) return;
    this.delivered.push(message);
    node.core.step(message);
    if (message.kind === 'snapshot') {
      this.nodes.get(message.from)?.core.reportSnapshot(message.to, 'sent');
    }
  }

  /** Delivers what matches, and leaves the rest on the wire. */
  deliverMatching(which: (message: Message) => boolean): void {
    const now = this.wire.filter(which);
    this.wire = this.wire.filter((message) => !which(message));
    for (const message of now) this.deliver(message);
    this.settle();
  }

  /** Works and delivers until nothing moves. */
  stabilize(): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.settle();
      const now = this.wire;
      this.wire = [];
      for (const message of now) this.deliver(message);
      if (now.length === 0) return;
    }
    throw new Error('messages never end');
  }

  tick(id: number, ticks = 1): void {
    for (let i = 0; i < ticks; i++) if (this.node(id).alive) this.node(id).core.tick();
  }

  /** All nodes tick together and talk after each tick. */
  run(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      for (const node of this.nodes.values()) if (node.alive) node.core.tick();
      this.stabilize();
    }
  }

  /** `id` times out and wins what can be won. The others' patience is left alone. */
  elect(id: number): CoreNode {
    const node = this.node(id);
    const asks = (message: Message) => message.from === id && message.kind === 'pre-vote';
    for (let i = 0; i < 2 * TUNING.electionTicks && !this.wire.some(asks); i++) {
      node.core.tick();
      this.settle();
    }
    this.stabilize();
    return node;
  }

  get leader(): CoreNode | undefined {
    let best: CoreNode | undefined;
    for (const node of this.nodes.values()) {
      if (!node.alive || node.status.role !== 'leader') continue;
      if (best === undefined || node.status.term > best.status.term) best = node;
    }
    return best;
  }

  get terms(): readonly Term[] {
    return [...this.nodes.values()].map((node) => node.status.term);
  }
}
