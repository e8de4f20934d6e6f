import type { MembershipLever } from '../levers.ts';
import type { LocalCluster } from './local-cluster.ts';
import type { NodeProcess } from './node-process.ts';

const TOKEN_MS = 60_000;

/** Members that come and go beside those of the plan. No proxy is between them and the others. */
export class Membership implements MembershipLever {
  readonly #local: LocalCluster;
  readonly #added = new Map<string, NodeProcess>();
  /** Whoever was ever added; what it wrote is there until the cluster's folder goes. */
  readonly visitors = new Map<string, NodeProcess>();

  constructor(local: LocalCluster) {
    this.#local = local;
  }

  async add(kind: 'voter' | 'replica', region: string): Promise<string> {
    const client = await this.#local.client();
    const answer = await client.call('cluster.createJoinToken', { kind, region, ttlMs: TOKEN_MS });
    await client.close();
    const node = await this.#local.join({ token: answer.joinToken, kind, region });
    this.#added.set(node.name, node);
    this.visitors.set(node.name, node);
    return node.name;
  }

  async remove(name: string): Promise<void> {
    const node = this.#added.get(name);
    if (node === undefined) return;
    await this.#local.remove(node);
    this.#added.delete(name);
  }

  async removeAll(): Promise<void> {
    for (const name of this.#added.keys()) await this.remove(name);
  }
}
