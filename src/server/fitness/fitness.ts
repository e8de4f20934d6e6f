import type { FileSink } from '../../audit/index.ts';
import type { Seal } from '../../seal/index.ts';
import type { NodeReport } from '../cluster/peer-request.ts';

/** Why a voter could lead and yet answer nothing, so that another should lead. */
export interface Unfitness {
  readonly because: string;
  /** How long it may pass by itself before anything is done about it. */
  readonly graceMs: number;
}

/** A node that starts opens well within this. */
const SEALED_GRACE_MS = 1_000;
/** A sink tries again every quarter of a second. */
const AUDIT_GRACE_MS = 500;

/** Why no request can be recorded, and so none answered, on this node; empty when one can. */
export function auditFailure(sinks: readonly Pick<FileSink, 'name' | 'isHealthy'>[]): string {
  if (sinks.length === 0 || sinks.some((sink) => sink.isHealthy)) return '';
  const names = sinks.map(({ name }) => `"${name}"`).join(', ');
  return `it refuses every request: its audit log cannot be written (${names})`;
}

/**
 * Why this node should not lead. A cluster that is sealed by hand, or not initialised, has no node
 * that could do better.
 */
export function unfitness(
  seal: Pick<Seal, 'state' | 'status'>,
  sinks: readonly Pick<FileSink, 'name' | 'isHealthy'>[],
): Unfitness | undefined {
  if (seal.state() !== 'unsealed') {
    const { initialized, manuallySealed } = seal.status();
    if (!initialized || manuallySealed) return undefined;
    return { because: 'it is sealed', graceMs: SEALED_GRACE_MS };
  }
  const because = auditFailure(sinks);
  return because === '' ? undefined : { because, graceMs: AUDIT_GRACE_MS };
}

/** Whether a node that says this of itself could serve as leader. */
export function isFit(report: NodeReport): boolean {
  return report.seal.state === 'unsealed' && report.healthy;
}

/** The fit voter that has the least to catch up, `except` one. */
export function bestOf(
  reports: Iterable<NodeReport | undefined>,
  voters: readonly number[],
  except: number,
): NodeReport | undefined {
  let best: NodeReport | undefined;
  for (const report of reports) {
    if (report === undefined || !isFit(report)) continue;
    if (report.node === except || !voters.includes(report.node)) continue;
    if (best === undefined || report.applied > best.applied) best = report;
  }
  return best;
}
