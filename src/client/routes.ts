import type { ChannelCredentials } from '@grpc/grpc-js';
import { parseAddress } from './address.ts';
import { PipelineLink } from './pipeline-link.ts';

interface KnownNode {
  readonly target: string;
  readonly region: string;
  readonly role: string;
}

const NODES_MAX = 1_000;

/** Which node is asked for what: the leader for writes, a near replica for reads that may be stale. */
export class Routes {
  readonly #given: readonly string[];
  readonly #region: string | undefined;
  readonly #credentials: (target: string) => ChannelCredentials;
  readonly #links = new Map<string, PipelineLink>();
  #known: readonly KnownNode[] = [];
  #preferred: string | undefined;

  constructor(
    addresses: readonly string[],
    region: string | undefined,
    credentials: (target: string) => ChannelCredentials,
  ) {
    this.#given = addresses.map((address) => parseAddress(address).target);
    this.#region = region;
    this.#credentials = credentials;
  }

  /** What the cluster says of its members. */
  learn(members: readonly Readonly<Record<string, unknown>>[]): void {
    this.#known = members
      .slice(0, NODES_MAX)
      .map((member) => ({
        target: String(member['apiAddress']),
        region: String(member['region']),
        role: String(member['role']),
      }))
      .filter((node) => node.target.includes(':'));
    const leader = this.#known.find((node) => node.role === 'leader');
    if (leader !== undefined) this.#preferred = leader.target;
  }

  /** This node served; it is asked first the next time. */
  worked(link: PipelineLink): void {
    this.#preferred ??= link.target;
  }

  failed(link: PipelineLink): void {
    if (this.#preferred === link.target) this.#preferred = undefined;
  }

  /** Nodes in the order in which they are tried, without end: wraps around. */
  order(mayBeStale: boolean): readonly string[] {
    const near = mayBeStale ? this.#nearReplicas() : [];
    const first = this.#preferred === undefined ? [] : [this.#preferred];
    const rest = this.#known
      .filter((node) => node.role !== 'unreachable')
      .map((node) => node.target);
    return [...new Set([...near, ...first, ...this.#given, ...rest])];
  }

  link(target: string): PipelineLink {
    let link = this.#links.get(target);
    if (link === undefined) {
      link = new PipelineLink(target, this.#credentials(target));
      this.#links.set(target, link);
    }
    return link;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #nearReplicas(): readonly string[] {
    if (this.#region === undefined) return [];
    return this.#known
      .filter((node) => node.region === this.#region && node.role === 'replica')
      .map((node) => node.target);
  }
}
