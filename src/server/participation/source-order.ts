import type { Member } from '../cluster/member.ts';

type Place = Pick<Member, 'node' | 'region' | 'kind' | 'peerAddress'>;

/**
 * Whom a read replica follows, the best first: what its configuration names, the other replicas of
 * its region from the lowest id on, the voters of its region, all other voters. So one replica of a
 * region, that with the lowest id, draws from a voter, and the others from it.
 *
 * A replica follows voters and replicas of lower ids only, whatever is configured: ids are never
 * given twice, so no circle can come about, however the nodes' knowledge of one another differs.
 */
export function sourceOrder(
  self: Pick<Place, 'node' | 'region'>,
  members: readonly Place[],
  upstreams: readonly string[],
): readonly Place[] {
  const mayFeed = members.filter(
    ({ node, kind }) => node !== self.node && (kind !== 'replica' || node < self.node),
  );
  const rank = (member: Place) => {
    const named = upstreams.indexOf(member.peerAddress);
    if (named >= 0) return named - upstreams.length;
    if (member.region !== self.region) return member.kind === 'replica' ? 3 : 2;
    return member.kind === 'replica' ? 0 : 1;
  };
  const voters = mayFeed.filter(({ kind }) => kind !== 'replica').length;
  // Relays of many regions spread over the voters, lest all draw from the same.
  const turn = ({ node, kind }: Place) =>
    kind === 'replica' ? node : (node + self.node) % Math.max(1, voters);
  return mayFeed
    .filter((member) => rank(member) < 3)
    .sort((a, b) => rank(a) - rank(b) || turn(a) - turn(b) || a.node - b.node);
}
