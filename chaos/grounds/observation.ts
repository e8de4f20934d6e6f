/** One node, as it was seen at one moment. */
export interface NodeObservation {
  readonly name: string;
  /** It answered by itself. */
  readonly up: boolean;
  readonly role: string;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly lagMs: number;
  readonly lagEntries: number;
  /** "unsealed", "sealed", "unknown" and what else the product says. */
  readonly seal: string;
}

/** The cluster at one moment. */
export interface Observation {
  /** The node that leads in the newest term, when one does. */
  readonly leader: string | undefined;
  readonly term: number;
  readonly commit: number;
  readonly nodes: readonly NodeObservation[];
}

/** Puts together what the nodes said: the leader is whoever says so of itself in the newest term. */
export function observationOf(nodes: readonly NodeObservation[]): Observation {
  const term = Math.max(0, ...nodes.map((node) => node.term));
  const leaders = nodes.filter((node) => node.up && node.role === 'leader');
  const newest = leaders.reduce<NodeObservation | undefined>(
    (best, node) => (best === undefined || node.term > best.term ? node : best),
    undefined,
  );
  return {
    leader: newest?.name,
    term,
    commit: Math.max(0, ...nodes.map((node) => node.commit)),
    nodes,
  };
}
