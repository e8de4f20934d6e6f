import type { NodeId } from '../../raft/index.ts';
import { type Member, memberSchema } from './member.ts';
import type { SystemRecords } from './system-records.ts';

const MEMBERS_MAX = 1000;
const PREFIX = 'members/';

export const memberRecord = (node: number) => `${PREFIX}${String(node).padStart(10, '0')}`;

export function encodeMember(member: Member): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(member));
}

/**
 * Who is in the cluster, as of what is applied here; before anything is, those whom this node met
 * when it joined. Kept in memory and renewed when a member record changes.
 */
export class Members implements Disposable {
  readonly #records: SystemRecords;
  readonly #contacts: readonly Member[];
  readonly #routes: Readonly<Record<string, string>>;
  readonly #unsubscribe: () => void;
  readonly #listeners = new Set<() => void>();
  #members = new Map<number, Member>();
  #reloading = false;
  #again = false;

  /**
   * @param routes addresses that stand in for a member's own, by node id or name: for a peer that
   *   is reached through a tunnel or a proxy.
   */
  constructor(
    records: SystemRecords,
    contacts: readonly Member[],
    routes: Readonly<Record<string, string>>,
  ) {
    this.#records = records;
    this.#contacts = contacts;
    this.#routes = routes;
    this.#members = new Map(contacts.map((member) => [member.node, member]));
    this.#unsubscribe = records.onChange(PREFIX, () => void this.reload());
  }

  all(): readonly Member[] {
    return [...this.#members.values()].sort((a, b) => a.node - b.node);
  }

  get(node: number): Member | undefined {
    return this.#members.get(node);
  }

  peerAddressOf(node: NodeId | number): string | undefined {
    const member = this.#members.get(node);
    return (
      this.#routes[String(node)] ??
      (member === undefined ? undefined : (this.#routes[member.name] ?? member.peerAddress))
    );
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the records again; calls that come while it runs share one more run. */
  async reload(): Promise<void> {
    if (this.#reloading) {
      this.#again = true;
      return;
    }
    this.#reloading = true;
    try {
      do {
        this.#again = false;
        const found = await this.#records.list(PREFIX, MEMBERS_MAX);
        const members = found.map(({ value }) => decodeMember(value));
        // A node that has no state yet knows only whom it met when it joined.
        const known = members.length > 0 ? members : this.#contacts;
        this.#members = new Map(known.map((member) => [member.node, member]));
      } while (this.#again);
    } finally {
      this.#reloading = false;
    }
    for (const listener of this.#listeners) listener();
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#listeners.clear();
  }
}

export function decodeMember(value: Uint8Array): Member {
  return memberSchema.parse(JSON.parse(new TextDecoder().decode(value)));
}
