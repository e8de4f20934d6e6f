import { StrongroomError } from '../lib/index.ts';
import type { NodeId } from '../raft/index.ts';

/**
 * A removed node has a certificate and perhaps an open stream, so it is asked again while one lasts.
 * @throws StrongroomError `cluster.unknown-member`
 */
export function requireMember(
  node: NodeId,
  isMember: ((node: NodeId) => boolean) | undefined,
): void {
  if (isMember === undefined || isMember(node)) return;
  throw new StrongroomError(
    'cluster.unknown-member',
    `Cannot serve node ${node}: it is no member of the cluster, or not known here yet`,
  );
}
