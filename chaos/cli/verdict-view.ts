import { renderSection, renderTable } from '../../src/cli/index.ts';
import type { Entry } from '../history/history.ts';
import type { RunRecord } from '../runner/record.ts';
import { inWords } from '../runner/verdict.ts';

const OPERATIONS_MAX = 40;

/** What a run came to: for programs without its samples, which `run.json` has. */
export function verdictView(record: RunRecord, folder: string, page: string) {
  const { scenario, ground, seed, verdict, faults, objectives, steadyState, checks } = record;
  const document = {
    scenario: scenario.name,
    ground,
    seed,
    folder,
    verdict,
    faults,
    steadyState,
    objectives,
    checks,
  };
  return { document, table: () => `\n${sections(record)}\n${lastLines(record, folder)}` };
}

function sections(record: RunRecord): string {
  const parts = [faultTable(record), findingTable(record)];
  for (const check of record.checks)
    if (check.kind === 'violation')
      parts.push(renderSection(`Operations that show it: ${check.name}`, historyOf(check.history)));
  return parts.join('\n');
}

function faultTable({ faults }: RunRecord): string {
  const seconds = (ms: number | undefined) =>
    ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`;
  const recovery = (ms: number | null | undefined) =>
    ms === null ? 'never' : ms === undefined ? '' : `${Math.round(ms)} ms`;
  return renderSection(
    'Faults',
    renderTable(
      ['Fault', 'Nodes', 'Injected', 'Healed', 'Writes again after', 'after the heal'],
      faults.map((one) => [
        one.fault,
        one.nodes.join(', '),
        seconds(one.injectedAt),
        seconds(one.healedAt),
        recovery(one.recovery?.injection),
        recovery(one.recovery?.heal),
      ]),
    ),
  );
}

function findingTable({ steadyState, objectives, checks }: RunRecord): string {
  const mark = (isGood: boolean) => (isGood ? 'ok' : 'FAILED');
  return renderSection(
    'Findings',
    renderTable(
      ['', 'What', 'Measured'],
      [
        ...steadyState.map((one) => [mark(one.holds), 'steady state', inWords(one)]),
        ...objectives.map((one) => [mark(one.holds), 'objective', inWords(one)]),
        ...checks.map((one) => [
          mark(one.kind === 'ok'),
          one.name,
          one.kind === 'ok' ? one.about : one.because,
        ]),
      ],
    ),
  );
}

function historyOf(history: readonly Entry[]): string {
  const shown = history.slice(-OPERATIONS_MAX);
  const left = history.length - shown.length;
  const table = renderTable(
    ['Client', 'From', 'To', 'Operation', 'Answer'],
    shown.map((one) => [
      String(one.client),
      one.calledAt.toFixed(1),
      one.outcome === 'maybe' ? '?' : one.returnedAt.toFixed(1),
      JSON.stringify(one.input),
      one.output === undefined ? (one.error ?? '') : JSON.stringify(one.output),
    ]),
  );
  return left === 0 ? table : `(${left} earlier ones are in run.json)\n${table}`;
}

function lastLines({ verdict, seed }: RunRecord, folder: string): string {
  const lines = [`Verdict: ${verdict.kind.toUpperCase()}`];
  if (verdict.kind === 'failed') lines.push(...verdict.because.map((why) => `  ${why}`));
  lines.push(`Record:  ${folder}`, `Seed:    ${seed}`);
  if (verdict.kind !== 'passed') lines.push(`Again:   strongroom chaos replay ${folder}`);
  return `${lines.join('\n')}\n`;
}
