import { renderTable } from '../../src/cli/index.ts';
import type { SeededReport, TrialResult } from './try-faults.ts';

const HEADINGS = ['Fault', 'Scenario', 'Ground', 'Caught by', 'Seconds', 'Verdict'];

/** A row for each trial with all its seeds, scenarios without a fault last. */
export function resultTable({ results }: SeededReport): string {
  const groups = new Map<string, TrialResult[]>();
  for (const result of results) {
    const key = `${result.fault ?? ''} ${result.scenario} ${result.ground}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  const rows = [...groups.values()].map(rowOf);
  const isSeeded = (row: readonly string[]) => row[0] !== NOTHING;
  return renderTable(HEADINGS, [...rows.filter(isSeeded), ...rows.filter((row) => !isSeeded(row))]);
}

const NOTHING = '(nothing seeded)';

function rowOf(trials: readonly TrialResult[]): readonly string[] {
  const [first] = trials;
  if (first === undefined) return [];
  const { fault, scenario, ground } = first;
  const good = trials.filter(({ isGood }) => isGood).length;
  const by = new Set(trials.flatMap((one) => one.by.map((caught) => caught.by)));
  const seconds = trials.reduce((sum, one) => sum + one.seconds, 0) / trials.length;
  const [yes, no] = fault === undefined ? ['passed', 'FALSE ALARM'] : ['caught', 'MISSED'];
  const word = good === trials.length ? yes : no;
  const share = trials.length === 1 ? '' : ` ${good} of ${trials.length}`;
  return [
    fault ?? NOTHING,
    scenario,
    ground,
    [...by].join(', '),
    seconds.toFixed(1),
    `${word}${share}`,
  ];
}
