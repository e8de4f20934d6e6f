/** Which nodes a fault is for. Resolved at the moment of the fault: the leader of then. */
export type Selector =
  | { readonly kind: 'leader' }
  /** One voter that does not lead. */
  | { readonly kind: 'follower' }
  | { readonly kind: 'followers' }
  | { readonly kind: 'node'; readonly name: string }
  /** The largest number of voters whose loss leaves a quorum. */
  | { readonly kind: 'minority' }
  /** The smallest number of voters whose loss leaves none. */
  | { readonly kind: 'majority' }
  | { readonly kind: 'voters' }
  | { readonly kind: 'replicas' }
  | { readonly kind: 'all' }
  /** Every node of a region. */
  | { readonly kind: 'region'; readonly region: string }
  /** One read replica of a region. */
  | { readonly kind: 'replica-of'; readonly region: string }
  /** One of those, drawn from the run's seed. */
  | { readonly kind: 'random'; readonly of: 'voter' | 'replica' | 'node' };

/** What a scenario's author may write, with `NAME` for a word of their own. */
export const selectorForms = [
  'leader',
  'follower',
  'followers',
  'minority',
  'majority',
  'voters',
  'replicas',
  'all',
  'region NAME',
  'replica of NAME',
  'random voter',
  'random replica',
  'random node',
  'the name of a node, such as voter-2',
] as const;

const words = new Set([
  'leader',
  'follower',
  'followers',
  'minority',
  'majority',
  'voters',
  'replicas',
  'all',
] as const);

type Word = typeof words extends Set<infer One> ? One : never;
const isWord = (text: string): text is Word => (words as ReadonlySet<string>).has(text);

/** Reads a selector; any single other word is taken as the name of a node. */
export function parseSelector(text: string): Selector | undefined {
  const clean = text.trim().replace(/\s+/g, ' ');
  if (isWord(clean)) return { kind: clean };
  const [, region] = /^region ([a-z0-9._-]+)$/.exec(clean) ?? [];
  if (region !== undefined) return { kind: 'region', region };
  const [, replicaOf] = /^replica of ([a-z0-9._-]+)$/.exec(clean) ?? [];
  if (replicaOf !== undefined) return { kind: 'replica-of', region: replicaOf };
  const [, of] = /^random (voter|replica|node)$/.exec(clean) ?? [];
  if (of !== undefined) return { kind: 'random', of: of as 'voter' | 'replica' | 'node' };
  return /^[a-z0-9][a-z0-9._-]*$/.test(clean) ? { kind: 'node', name: clean } : undefined;
}
