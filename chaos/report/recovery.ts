import type { RunRecord } from '../runner/record.ts';
import type { Assertion } from '../scenario/assertion.ts';
import { formatDuration } from '../scenario/units.ts';
import { FAULTS_SHOWN_MAX, type NumberedFault } from './fault-bands.ts';
import { assertionOf, bullet, table } from './findings.ts';
import { html, type Markup, type Part } from './markup.ts';
import { momentWords, shortened } from './words.ts';

/** Every fault, and how long it took until all clients wrote again, against the objective. */
export function recoveryTable(record: RunRecord, faults: readonly NumberedFault[]): Markup {
  if (faults.length === 0) return html`<p class="note">No fault was done.</p>`;
  const bounds = record.objectives.flatMap((one) => assertionOf(one) ?? []);
  const rows = faults.slice(0, FAULTS_SHOWN_MAX).map((fault) => {
    const { number, look, nodes, injectedAt, healedAt, recovery, felt, error } = fault;
    const isOver = healedAt === undefined;
    return [
      html`<span class="chip look-${look}">${number}</span>`,
      html`<code>${fault.fault}</code>${parametersOf(fault.parameters)}`,
      shortened(nodes.join(', '), 200) || 'no node of its own',
      momentWords(injectedAt),
      isOver ? 'over at once' : formatDuration(healedAt - injectedAt),
      against(recovery?.injection, boundFor(bounds, fault.fault, 'injection')),
      against(recovery?.heal, boundFor(bounds, fault.fault, 'heal')),
      felt === undefined
        ? undefined
        : felt
          ? 'yes'
          : html`<span class="wrong">no: it may have missed</span>`,
      error === undefined ? undefined : html`<span class="wrong">${shortened(error, 500)}</span>`,
    ];
  });
  const hasErrors = faults.some((one) => one.error !== undefined);
  const headings = [
    '',
    'Fault',
    'Nodes',
    'At',
    'For',
    'Writes again after',
    'after the heal',
    'Felt',
  ];
  return table(
    hasErrors ? [...headings, 'Went wrong'] : headings,
    hasErrors ? rows : rows.map((row) => row.slice(0, -1)),
  );
}

function parametersOf(parameters: unknown): Part {
  if (typeof parameters !== 'object' || parameters === null) return undefined;
  const words = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return words.length === 0
    ? undefined
    : html` <span class="unit">${shortened(words.join(', '), 120)}</span>`;
}

/** The bound that each single recovery must keep: that of a maximum, never that of a median. */
function boundFor(
  bounds: readonly Assertion[],
  fault: string,
  what: 'injection' | 'heal',
): number | undefined {
  const found = bounds
    .filter(({ measure, statistic, comparison }) => {
      return measure === 'write-recovery' && statistic === 'max' && comparison.startsWith('<');
    })
    .filter(({ after }) => {
      const about = after ?? { fault: 'any', what: 'injection' };
      return about.what === what && (about.fault === 'any' || about.fault === fault);
    })
    .map((one) => one.bound);
  return found.length === 0 ? undefined : Math.min(...found);
}

function against(recovery: number | null | undefined, bound: number | undefined): Part {
  if (recovery === undefined) return html`<span class="unit">not measured</span>`;
  if (recovery === null) return html`<span class="wrong">✗ never</span>`;
  const words = recovery === 0 ? 'not interrupted' : formatDuration(recovery);
  if (bound === undefined) return words;
  const isGood = recovery < bound;
  return html`<span class="${isGood ? 'good' : 'wrong'}">${isGood ? '✓' : '✗'}</span> ${words} <span class="unit">of ${formatDuration(bound)}</span>${bullet(recovery, bound, isGood)}`;
}
