import type { AssertionRecord, FaultRecord, RunRecord } from '../runner/record.ts';
import { type Assertion, parseAssertion } from '../scenario/assertion.ts';
import { formatQuantity, measures } from '../scenario/measures.ts';
import { html, type Markup, type Part } from './markup.ts';
import { countWords, plural, shortened } from './words.ts';

/** The sentence of a record, read again: its bound and what it is about. */
export function assertionOf({ text }: AssertionRecord): Assertion | undefined {
  const [, fault] = / after (?:heal of )?([a-z-]+)/.exec(text) ?? [];
  const parsed = parseAssertion(text, fault === undefined ? [] : [fault]);
  return parsed.ok ? parsed.value : undefined;
}

/** What is not told by colour alone: a sign, and the word. */
export function mark(isGood: boolean, [good, bad]: readonly [string, string]): Markup {
  return isGood
    ? html`<span class="mark-word good"><span aria-hidden="true">✓</span> ${good}</span>`
    : html`<span class="mark-word wrong"><span aria-hidden="true">✗</span> ${bad}</span>`;
}

/** Hypotheses of the steady state and objectives, each with its bound. */
export function assertionTable(
  assertions: readonly AssertionRecord[],
  faults: readonly FaultRecord[],
  words: readonly [string, string],
  heading = 'What must hold',
): Markup {
  return table(
    ['', heading, 'Measured', 'Bound', ''],
    assertions.map((one) => {
      const assertion = assertionOf(one);
      const unit = measures[one.measure]?.unit ?? 'count';
      const bound =
        assertion === undefined
          ? ''
          : `${assertion.comparison} ${formatQuantity(unit, assertion.bound)}`;
      return [
        mark(one.holds, words),
        html`<code>${one.text}</code>`,
        one.value === null ? nothing(one, faults) : formatQuantity(unit, one.value),
        bound,
        one.value === null || assertion === undefined
          ? undefined
          : bullet(one.value, assertion.bound, one.holds),
      ];
    }),
  );
}

/** A recovery that never came is not a lack of anything to measure. */
function nothing({ measure }: AssertionRecord, faults: readonly FaultRecord[]): string {
  const isNever = faults.some(
    ({ recovery }) => recovery?.injection === null || recovery?.heal === null,
  );
  const isLate = measure === 'replica-recovery' && faults.some((one) => one.healedAt !== undefined);
  return isLate || (measure === 'write-recovery' && isNever) ? 'never' : 'nothing to measure';
}

/** A bar against its bound, which is the upright line. */
export function bullet(value: number, bound: number, isGood: boolean): Markup {
  const full = Math.max(value, bound, Number.MIN_VALUE) * 1.15;
  const percent = (one: number) => `${Math.max(0, (one / full) * 100).toFixed(1)}%`;
  return html`<svg class="bullet" width="100%" height="14" aria-hidden="true"><rect class="ground" width="100%" height="8" y="3"/><rect class="${isGood ? 'good' : 'wrong'}" width="${percent(value)}" height="8" y="3"/><line class="bound" x1="${percent(bound)}" x2="${percent(bound)}" y1="0" y2="14"/></svg>`;
}

/** What the checkers proved, or what they found. */
export function checkList({ checks }: RunRecord): Markup {
  if (checks.length === 0)
    return html`<p class="note">The run ended before anything was checked.</p>`;
  return table(
    ['', 'Check', 'What it proves', 'Result'],
    checks.map((check) => [
      check.kind === 'not-checked'
        ? html`<span class="mark-word"><span aria-hidden="true">–</span> not checked here</span>`
        : mark(check.kind === 'ok', ['holds', check.kind]),
      html`<code>${check.name}</code>`,
      check.summary,
      check.kind === 'ok' ? check.about : shortened(check.because, 1_000),
    ]),
  );
}

/** What the clients did, with every kind of failure. */
export function workloadTable({ workloads }: RunRecord): Markup {
  return table(
    ['Clients', 'Answered', 'May have happened', 'Certainly not', 'Failures'],
    workloads.map(({ workload, label, ok, maybe, no, errors }) => [
      label === workload ? label : `${label} (${workload})`,
      countWords(ok),
      countWords(maybe),
      countWords(no),
      Object.entries(errors).length === 0
        ? 'none'
        : Object.entries(errors)
            .slice(0, 20)
            .map(
              ([code, count]) =>
                html`<div><code>${shortened(code, 200)}</code> ${plural(count, 'time')}</div>`,
            ),
    ]),
  );
}

/** Scrolls sideways where it must; on a phone each row is a card with the headings as labels. */
export function table(headings: readonly string[], rows: readonly (readonly Part[])[]): Markup {
  return html`<div class="wide"><table><thead><tr>${headings.map((one) => html`<th scope="col">${one}</th>`)}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((one, at) => html`<td data-label="${headings[at]}">${one}</td>`)}</tr>
`,
  )}</tbody></table></div>
`;
}
