import { renderSection, renderTable } from '../../src/cli/index.ts';
import { statisticOf } from '../runner/statistics.ts';
import { formatDuration } from '../scenario/units.ts';
import type { FaultResult, RunResult } from './result.ts';

/** One objective that every standard scenario is to keep, and what was measured. */
export interface ObjectiveRow {
  readonly objective: string;
  readonly measured: string;
  readonly of: string;
  /** Undefined: nothing was measured. */
  readonly holds: boolean | undefined;
}

/** The checks that would find a write that was acknowledged and is lost. */
const LOSS_CHECKS = ['linearizable', 'set-elements', 'list-append', 'exactly-once', 'same-state'];

/** What the runs say of the objectives that hold in every scenario. */
export function objectiveRows(runs: readonly RunResult[]): readonly ObjectiveRow[] {
  const faults = runs.flatMap((run) => run.faults);
  const leaderLoss = faults.filter((one) => one.fault === 'kill' && one.tookLeader);
  const partitions = faults.filter((one) => one.fault === 'partition');
  const coldStarts = faults.filter((one) => one.fault === 'unseal-storm');
  return [
    unbroken('no acknowledged write lost', LOSS_CHECKS, runs),
    unbroken('no linearizability violation', ['linearizable'], runs),
    unbroken('no staleness bound broken', ['session-guarantees'], runs),
    recovery('leader loss: writes again, median', 'median', 1_500, leaderLoss, 'injection'),
    recovery('leader loss: writes again, worst', 'max', 4_000, leaderLoss, 'injection'),
    recovery('healed partition: writes again, worst', 'max', 3_000, partitions, 'heal'),
    recovery('cold start: writes again, worst', 'max', 5_000, coldStarts, 'heal'),
  ];
}

function unbroken(
  objective: string,
  names: readonly string[],
  runs: readonly RunResult[],
): ObjectiveRow {
  const checks = runs.flatMap((run) => run.checks).filter(({ name }) => names.includes(name));
  const count = (kind: string) => checks.filter((one) => one.kind === kind).length;
  const [violations, undecided] = [count('violation'), count('undecided')];
  return {
    objective,
    measured: `${violations} violations${undecided === 0 ? '' : `, ${undecided} undecided`}`,
    of: `${checks.length} checks`,
    holds: checks.length === 0 ? undefined : violations + undecided === 0,
  };
}

function recovery(
  objective: string,
  statistic: 'median' | 'max',
  boundMs: number,
  faults: readonly FaultResult[],
  what: 'injection' | 'heal',
): ObjectiveRow {
  // A client that never wrote again took for ever.
  const values = faults.flatMap((fault) => {
    const found = fault[what];
    return found === undefined ? [] : [found ?? Number.POSITIVE_INFINITY];
  });
  const value = statisticOf(statistic, values);
  return {
    objective: `${objective} < ${formatDuration(boundMs)}`,
    measured: value === undefined ? 'nothing to measure' : words(value),
    of: `${values.length} faults`,
    holds: value === undefined ? undefined : value < boundMs,
  };
}

const words = (ms: number) => (Number.isFinite(ms) ? formatDuration(ms) : 'never');
const mark = (holds: boolean | undefined) => (holds === undefined ? '' : holds ? '✓' : '✗');

export interface ScenarioRow {
  readonly scenario: string;
  readonly runs: number;
  readonly passed: number;
  readonly operations: number;
  readonly faults: number;
  /** Faults that should have left a trace and did not. */
  readonly notFelt: number;
  readonly medianRecoveryMs: number | undefined;
  readonly worstRecoveryMs: number | undefined;
}

export function scenarioRows(runs: readonly RunResult[]): readonly ScenarioRow[] {
  return [...new Set(runs.map((run) => run.scenario))].map((scenario) => {
    const own = runs.filter((run) => run.scenario === scenario);
    const faults = own.flatMap((run) => run.faults);
    const recoveries = faults.flatMap(({ injection }) =>
      injection === undefined ? [] : [injection ?? Number.POSITIVE_INFINITY],
    );
    return {
      scenario,
      runs: own.length,
      passed: own.filter((run) => run.verdict === 'passed').length,
      operations: own.reduce((sum, run) => sum + run.operations, 0),
      faults: faults.length,
      notFelt: faults.filter((fault) => fault.felt === false).length,
      medianRecoveryMs: statisticOf('median', recoveries),
      worstRecoveryMs: statisticOf('max', recoveries),
    };
  });
}

/** Both tables, and every run that failed with its reasons. */
export function longTables(runs: readonly RunResult[]): string {
  const recoveryWords = (ms: number | undefined) => (ms === undefined ? '' : words(ms));
  const head = [
    'Scenario',
    'Runs',
    'Passed',
    'Operations',
    'Faults',
    'Not felt',
    'Median',
    'Worst',
  ];
  const scenarios = scenarioRows(runs).map((one) => [
    one.scenario,
    String(one.runs),
    String(one.passed),
    String(one.operations),
    String(one.faults),
    String(one.notFelt),
    recoveryWords(one.medianRecoveryMs),
    recoveryWords(one.worstRecoveryMs),
  ]);
  const objectives = objectiveRows(runs).map((one) => [
    mark(one.holds),
    one.objective,
    one.measured,
    one.of,
  ]);
  const failed = runs.filter((run) => run.verdict !== 'passed');
  return [
    renderSection(
      'Scenarios, and how long after a fault all wrote again',
      renderTable(head, scenarios),
    ),
    renderSection('Objectives', renderTable(['', 'Objective', 'Measured', 'Of'], objectives)),
    ...(failed.length === 0
      ? []
      : [
          renderSection(
            'Runs that did not pass',
            renderTable(
              ['Scenario', 'Seed', 'Came to', 'Because'],
              failed.map((run) => [
                run.scenario,
                String(run.seed),
                run.verdict,
                run.because.join('; ').replaceAll(/\s+/g, ' ').slice(0, 300),
              ]),
            ),
          ),
        ]),
  ].join('\n');
}
