import type { Cancellation, Clock } from '../../lib/index.ts';
import type { NodeId, RaftNode } from '../../raft/index.ts';
import type { Seal } from '../../seal/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { NodeReport } from '../cluster/peer-request.ts';

/** A node that starts opens well within this, and then nothing has to change. */
const GRACE_MS = 1_000;

/**
 * A sealed voter stores and votes, but it can answer nothing: while it leads, every write ends in
 * `seal.sealed`, however many others are open. So it hands leadership to one of them. Nothing is
 * done while the whole cluster is sealed by hand or not initialised: then nobody could do better.
 *
 * @returns one look, to be taken again and again.
 */
export function leadOnlyOpen(parts: {
  readonly raft: Pick<RaftNode, 'status' | 'transferLeadership'>;
  readonly seal: Pick<Seal, 'state' | 'status'>;
  /** Every node's own view. */
  readonly reports: (signal: Cancellation) => Promise<Iterable<NodeReport | undefined>>;
  readonly clock: Clock;
  readonly log: Logger;
}): (signal: Cancellation) => Promise<void> {
  const { raft, seal, clock, log } = parts;
  let sealedSinceMs: number | undefined;

  const leadsSealed = (): boolean => {
    if (raft.status().role !== 'leader' || seal.state() === 'unsealed') return false;
    const { initialized, manuallySealed } = seal.status();
    return initialized && !manuallySealed;
  };

  return async (signal) => {
    if (!leadsSealed()) {
      sealedSinceMs = undefined;
      return;
    }
    sealedSinceMs ??= clock.monotonicMs();
    if (clock.monotonicMs() - sealedSinceMs < GRACE_MS) return;
    const open = bestOf(await parts.reports(signal), raft.status().membership.voters);
    // It may have opened while the others were asked.
    if (open === undefined || !leadsSealed()) return;
    log.warn({ to: open.node }, 'Leads while it is sealed: hands over to a voter that is open');
    await raft.transferLeadership(open.node as NodeId);
  };
}

/** The open voter that has the least to catch up. */
function bestOf(
  reports: Iterable<NodeReport | undefined>,
  voters: readonly number[],
): NodeReport | undefined {
  let best: NodeReport | undefined;
  for (const report of reports) {
    if (report?.seal.state !== 'unsealed' || !report.healthy) continue;
    if (!voters.includes(report.node)) continue;
    if (best === undefined || report.applied > best.applied) best = report;
  }
  return best;
}
