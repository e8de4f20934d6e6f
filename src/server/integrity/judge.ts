/** What the digests of the voters at one revision say. */
export type Judgement =
  | { readonly kind: 'agree'; readonly voters: number }
  | { readonly kind: 'minority'; readonly digest: string; readonly wrong: readonly number[] }
  /** They differ, and no digest has a majority of all voters behind it. */
  | { readonly kind: 'tie' };

/**
 * Who is wrong when states differ: whoever has not what a majority of all voters has, asked or not.
 *
 * @param digests by voter; those that could not say are left out.
 */
export function judge(voters: number, digests: ReadonlyMap<number, string>): Judgement {
  const byDigest = new Map<string, number[]>();
  for (const [node, digest] of digests) {
    byDigest.set(digest, [...(byDigest.get(digest) ?? []), node]);
  }
  if (byDigest.size <= 1) return { kind: 'agree', voters: digests.size };
  for (const [digest, nodes] of byDigest) {
    if (2 * nodes.length <= voters) continue;
    const wrong = [...digests.keys()].filter((node) => !nodes.includes(node));
    return { kind: 'minority', digest, wrong };
  }
  return { kind: 'tie' };
}
