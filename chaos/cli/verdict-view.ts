import { renderSection, renderTable } from '../../src/cli/index.ts';
import { OperationWords } from '../report/history-words.ts';
import { shellWord } from '../report/words.ts';
import type { AssertionRecord, CheckRecord, RunRecord } from '../runner/record.ts';
import { formatQuantity, measures } from '../scenario/measures.ts';
import { formatDuration } from '../scenario/units.ts';

const OPERATIONS_MAX = 40;

/** What a run came to; `page` shows it with its whole course. Its samples are in `run.json`. */
export function verdictView(record: RunRecord, folder: string, page: string) {
  const { scenario, ground, seed, verdict, startedAt, phases, workloads, aborted } = record;
  const { faults, objectives, steadyState, checks, target } = record;
  const document = {
    scenario: scenario.name,
    title: scenario.title,
    purpose: scenario.purpose,
    ground,
    target,
    seed,
    folder,
    page,
    startedAt,
    verdict,
    aborted,
    phases,
    workloads,
    faults,
    steadyState,
    objectives,
    checks,
  };
  return { document, table: () => `\n${sections(record)}\n${lastLines(record, folder, page)}` };
}

function sections(record: RunRecord): string {
  const parts = record.faults.length === 0 ? [] : [faultTable(record)];
  parts.push(findingTable(record));
  for (const check of record.checks)
    if (check.kind === 'violation') parts.push(historyTable(check));
  return parts.join('\n');
}

function faultTable({ faults }: RunRecord): string {
  const recovery = (ms: number | null | undefined) => {
    if (ms === undefined) return '';
    return ms === null ? 'never' : ms === 0 ? 'not interrupted' : formatDuration(ms);
  };
  const feltWords = (felt: boolean | undefined) =>
    felt === undefined ? '' : felt ? 'yes' : 'NO: it may have missed';
  const rows = faults.map(({ fault, nodes, injectedAt, healedAt, recovery: after, felt }) => [
    `${(injectedAt / 1_000).toFixed(1)} s`,
    fault,
    nodes.join(', '),
    healedAt === undefined ? 'over at once' : formatDuration(healedAt - injectedAt),
    recovery(after?.injection),
    recovery(after?.heal),
    feltWords(felt),
  ]);
  const headings = ['At', 'Fault', 'Nodes', 'For', 'Writes again after', 'after the heal', 'Felt'];
  return renderSection('Faults', renderTable(headings, rows));
}

function findingTable({ steadyState, objectives, aborted, checks }: RunRecord): string {
  const mark = (isGood: boolean) => (isGood ? '✓' : '✗');
  const assertion = (what: string) => (one: AssertionRecord) => [
    mark(one.holds),
    what,
    one.text,
    one.value === null
      ? 'nothing to measure'
      : formatQuantity(measures[one.measure].unit, one.value),
  ];
  const rows = [
    ...steadyState.map(assertion('steady state')),
    ...(aborted === undefined ? [] : [assertion('abort')({ ...aborted, holds: false })]),
    ...objectives.map(assertion('objective')),
    ...checks.map((one) => [
      one.kind === 'not-checked' ? '–' : mark(one.kind === 'ok'),
      'check',
      one.name,
      one.kind === 'ok' ? one.about : `${one.kind.replace('-', ' ')}: ${one.because}`,
    ]),
  ];
  return renderSection('Findings', renderTable(['', 'What', 'Which', 'Measured'], rows));
}

function historyTable(check: CheckRecord & { readonly kind: 'violation' }): string {
  const { history, impossible } = check;
  const culprit = impossible === undefined ? undefined : history[impossible];
  const words = new OperationWords(history);
  const ordered = history.toSorted((a, b) => a.calledAt - b.calledAt);
  const shown = ordered.slice(-OPERATIONS_MAX);
  const table = renderTable(
    ['', 'Client', 'From, ms', 'To, ms', 'Operation', 'Answer'],
    shown.map((one) => [
      one === culprit ? '✗' : '',
      String(one.client),
      one.calledAt.toFixed(1),
      one.outcome === 'maybe' ? '?' : one.returnedAt.toFixed(1),
      words.input(one),
      words.answer(one),
    ]),
  );
  const common = words.common();
  const remarks = [
    ...(common === '' ? [] : [`All are about ${common}.`]),
    ...(culprit === undefined ? [] : ['✗ is the answer that no order explains.']),
    ...(shown.length === history.length
      ? []
      : [`${history.length - shown.length} earlier ones are in run.json.`]),
  ];
  const above = remarks.length === 0 ? '' : `${remarks.join(' ')}\n`;
  return renderSection(`The fewest operations that show it: ${check.name}`, `${above}${table}`);
}

function lastLines({ verdict, seed, target }: RunRecord, folder: string, page: string): string {
  const lines = [`Verdict: ${verdict.kind.toUpperCase()}`];
  if (verdict.kind === 'passed' && verdict.notChecked !== undefined)
    lines.push(...verdict.notChecked.map((one) => `  - not checked on this ground: ${one}`));
  if (verdict.kind === 'failed') lines.push(...verdict.because.map((why) => `  - ${why}`));
  lines.push(`Report:  ${page}`, `Record:  ${folder}`, `Seed:    ${seed}`);
  if (verdict.kind !== 'passed')
    lines.push(
      `Again:   strongroom chaos replay ${shellWord(folder)}${target === undefined ? '' : ' --target FILE'}`,
    );
  return `${lines.join('\n')}\n`;
}
