import type { Cancellation, Clock } from '../../lib/index.ts';
import type { NodeId, RaftNode } from '../../raft/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import type { NodeReport } from '../cluster/peer-request.ts';
import { bestOf, type Unfitness } from './fitness.ts';

/**
 * A voter that is sealed, or whose audit log cannot be written, stores and votes, but it can answer
 * nothing: while it leads, every write is refused, however many others could take it. So it hands
 * leadership to one of them, and lets others go first in elections until it is well. When nobody
 * else is fit it leads all the same: the cluster's own work goes on.
 *
 * @returns one look, to be taken again and again.
 */
export function leadOnlyFit(parts: {
  readonly raft: Pick<RaftNode, 'status' | 'transferLeadership' | 'setReluctant'>;
  readonly unfitness: () => Unfitness | undefined;
  /** Every node's own view. */
  readonly reports: (signal: Cancellation) => Promise<Iterable<NodeReport | undefined>>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}): (signal: Cancellation) => Promise<void> {
  const { raft, clock, log } = parts;
  const fit = parts.metrics.gauge({
    name: 'strongroom_node_fit_to_lead',
    help: '0 while the node should not lead: it is sealed, or its audit log cannot be written',
  });
  let since: { readonly atMs: number; readonly because: string } | undefined;

  /** Undefined while it is fit, or may still become so by itself. */
  const unfit = (): string | undefined => {
    const found = parts.unfitness();
    fit.set(found === undefined ? 1 : 0);
    if (found === undefined) {
      since = undefined;
      return undefined;
    }
    if (since?.because !== found.because)
      since = { atMs: clock.monotonicMs(), because: found.because };
    return clock.monotonicMs() - since.atMs < found.graceMs ? undefined : found.because;
  };

  return async (signal) => {
    const because = unfit();
    raft.setReluctant(because !== undefined);
    if (because === undefined || raft.status().role !== 'leader') return;
    const reports = await parts.reports(signal);
    const { node, role, membership } = raft.status();
    const better = bestOf(reports, membership.voters, node);
    // It may have become well, or follow, while the others were asked.
    if (better === undefined || role !== 'leader' || unfit() === undefined) return;
    log.warn({ to: better.node, because }, 'Should not lead: hands over to a voter that can serve');
    await raft.transferLeadership(better.node as NodeId);
  };
}
