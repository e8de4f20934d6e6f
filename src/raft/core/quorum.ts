/** How many of `voters` must agree: more than half, never half (hashicorp/raft 163a55f). */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The highest value that a majority has reached, given one value a voter (Raft 5.3, 5.4.2).
 *
 * @returns 0 for no voters: nothing is ever agreed on by nobody.
 */
export function quorumValue(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const descending = [...values].sort((a, b) => b - a);
  return descending[majority(values.length) - 1] ?? 0;
}

export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * Where an election stands.
 *
 * @param votes one a voter: granted, rejected, or not yet heard from.
 */
export function voteResult(votes: readonly (boolean | undefined)[]): VoteResult {
  const needed = majority(votes.length);
  const granted = votes.filter((vote) => vote === true).length;
  const missing = votes.filter((vote) => vote === undefined).length;
  if (votes.length > 0 && granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}
