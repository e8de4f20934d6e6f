import type { FaultRecord, RunRecord } from '../runner/record.ts';

/** A fault of a run, as far as the objectives are about it. */
export interface FaultResult {
  readonly fault: string;
  /** It took the leader, and nobody else: what a loss of the leader is. */
  readonly tookLeader: boolean;
  readonly injection?: number | null;
  readonly heal?: number | null;
  readonly felt?: boolean;
}

/** What one run came to: all that the tables are made of. */
export interface RunResult {
  readonly scenario: string;
  readonly seed: number;
  /** `broke`: there is no record, the run could not be made or ended. */
  readonly verdict: 'passed' | 'failed' | 'broke';
  readonly because: readonly string[];
  readonly durationMs: number;
  readonly operations: number;
  readonly faults: readonly FaultResult[];
  readonly checks: readonly { readonly name: string; readonly kind: string }[];
  /** Of the run that failed. */
  readonly folder?: string;
}

export function resultOf(record: RunRecord, folder: string): Omit<RunResult, 'durationMs'> {
  const { scenario, seed, verdict, workloads, faults, checks } = record;
  const isFine = verdict.kind === 'passed';
  return {
    scenario: scenario.name,
    seed,
    verdict: isFine ? 'passed' : 'failed',
    because: verdict.kind === 'failed' ? verdict.because : [],
    operations: workloads.reduce((sum, one) => sum + one.ok, 0),
    faults: faults.map(faultResult),
    checks: checks.map(({ name, kind }) => ({ name, kind })),
    ...(isFine ? {} : { folder }),
  };
}

function faultResult({ fault, nodes, leader, recovery, felt }: FaultRecord): FaultResult {
  const [only, ...others] = nodes;
  return {
    fault,
    tookLeader: only !== undefined && others.length === 0 && only === leader,
    ...(recovery?.injection === undefined ? {} : { injection: recovery.injection }),
    ...(recovery?.heal === undefined ? {} : { heal: recovery.heal }),
    ...(felt === undefined ? {} : { felt }),
  };
}
