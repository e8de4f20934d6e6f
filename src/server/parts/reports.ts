import type { FileSink } from '../../audit/index.ts';
import { type Cancellation, withTimeout } from '../../lib/index.ts';
import type { Seal } from '../../seal/index.ts';
import type { NodeReport } from '../cluster/peer-request.ts';
import { auditFailure } from '../fitness/fitness.ts';
import type { Foundation } from '../foundation.ts';

const REPORT_MS = 1_000;

/** What this node says of itself. */
export function reportOf(
  foundation: Foundation,
  seal: Seal,
  sinks: readonly FileSink[],
): NodeReport {
  const { participation, identity, version } = foundation;
  const position = participation.position();
  const reason = position.reason === '' ? auditFailure(sinks) : position.reason;
  const status = seal.status();
  return {
    node: identity.node,
    leader: participation.leader(),
    role: position.role,
    term: position.term,
    commit: position.commit,
    applied: position.applied,
    lagMs: position.lagMs,
    healthy: reason === '',
    reason,
    version,
    seal: {
      state: status.state,
      restartReady: status.restartReady,
      reason: status.reason,
      lastProofAtMs: status.lastProofAtMs,
      slots: status.slots.map(({ name, kind, health, kekFingerprint, kekGeneration, reason }) => ({
        name,
        kind,
        health,
        kekFingerprint,
        kekGeneration,
        reason,
      })),
    },
  };
}

/** Reports by node id; undefined for one that does not answer in time, which is an answer too. */
export async function collectReports(
  foundation: Foundation,
  own: () => NodeReport,
  ask: (node: number, signal: Cancellation) => Promise<NodeReport>,
  signal: Cancellation,
): Promise<ReadonlyMap<number, NodeReport | undefined>> {
  using limit = withTimeout(signal, REPORT_MS);
  const self = foundation.identity.node;
  const asked = foundation.members.all().map(async ({ node }) => {
    if (node === self) return [node, own()] as const;
    const report = await ask(node, limit).catch(() => undefined);
    return [node, report] as const;
  });
  return new Map(await Promise.all(asked));
}
