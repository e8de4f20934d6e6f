import type { messages } from '../wire/index.ts';
import { parseAddress } from './address.ts';
import { Node } from './node.ts';
import { type ClientSettings, clientBounds } from './options.ts';

const isAddress = (text: string) => /:\d+$/.test(text);

/** The nodes that are known, and in which order they are asked. */
export class Nodes {
  readonly #settings: ClientSettings;
  readonly #nodes = new Map<string, Node>();
  /** Kept, whatever the cluster says of them: they are how the others are found again. */
  readonly #given: ReadonlySet<string>;
  /** The leader, or else the node that answered last. */
  #preferred: string | undefined;

  /** @throws StrongroomError `request.invalid` */
  constructor(addresses: readonly string[], settings: ClientSettings) {
    this.#settings = settings;
    this.#given = new Set(addresses.map((address) => this.at(address).target));
  }

  /** Reads that may be stale go to the client's region first; who failed lately comes last. */
  inOrder(isStaleFine: boolean): readonly Node[] {
    const nowMs = this.#settings.clock.monotonicMs();
    const { region } = this.#settings;
    const rank = (node: Node) =>
      (node.avoidUntilMs > nowMs ? 4 : 0) +
      (isStaleFine && region !== undefined && node.region !== region ? 2 : 0) +
      (node.target === this.#preferred ? 0 : 1);
    return [...this.#nodes.values()].sort((a, b) => rank(a) - rank(b));
  }

  /** @throws StrongroomError `request.invalid` */
  at(address: string): Node {
    const { target } = parseAddress(address);
    let node = this.#nodes.get(target);
    if (node === undefined) {
      node = new Node(address, this.#settings);
      this.#nodes.set(target, node);
    }
    return node;
  }

  worked(node: Node): void {
    node.avoidUntilMs = 0;
    this.#preferred ??= node.target;
  }

  failed(node: Node): void {
    node.avoidUntilMs = this.#settings.clock.monotonicMs() + clientBounds.avoidMs;
    if (this.#preferred === node.target) this.#preferred = undefined;
  }

  /** Takes over what a node said of the cluster. */
  learn(members: readonly messages.ClusterMember[]): void {
    const current = new Set<string>();
    for (const member of members.slice(0, clientBounds.nodesMax)) {
      if (!isAddress(member.apiAddress)) continue;
      const node = this.at(member.apiAddress);
      node.region = member.region;
      current.add(node.target);
    }
    // One that was cut off may still call itself leader, in an older term.
    const leader = members
      .filter((member) => member.role === 'leader')
      .reduce<messages.ClusterMember | undefined>(
        (best, one) => (best === undefined || one.term > best.term ? one : best),
        undefined,
      );
    if (leader !== undefined && isAddress(leader.apiAddress))
      this.#preferred = this.at(leader.apiAddress).target;
    for (const [target, node] of this.#nodes) {
      if (current.has(target) || this.#given.has(target)) continue;
      node.close();
      this.#nodes.delete(target);
    }
  }

  close(): void {
    for (const node of this.#nodes.values()) node.close();
  }
}
