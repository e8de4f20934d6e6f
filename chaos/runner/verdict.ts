import { formatQuantity, measures } from '../scenario/measures.ts';
import type { AssertionRecord, CheckRecord, FaultRecord, Verdict } from './record.ts';

interface Findings {
  readonly steadyState: readonly AssertionRecord[];
  readonly objectives: readonly AssertionRecord[];
  readonly aborted: AssertionRecord | undefined;
  readonly faults: readonly FaultRecord[];
  readonly checks: readonly CheckRecord[];
  /** What the ground itself saw go wrong. */
  readonly broken: string | undefined;
}

/** How a reason begins that the ground saw by itself. */
export const BROKEN = 'a promise was broken: ';

/** What all findings of a run come to, with every reason. */
export function verdictOf(found: Findings, { interrupted }: { interrupted: boolean }): Verdict {
  const because = [
    ...(found.broken === undefined ? [] : [`${BROKEN}${found.broken}`]),
    ...failed(found.steadyState).map((one) => `no steady state to begin with: ${inWords(one)}`),
    ...(found.aborted === undefined ? [] : [`aborted: ${inWords(found.aborted)}`]),
    ...found.faults.flatMap(({ fault, nodes, error }) =>
      error === undefined ? [] : [`${fault} ${nodes.join(', ')} went wrong: ${error}`],
    ),
    ...found.checks.flatMap((check) =>
      check.kind === 'ok' || check.kind === 'not-checked'
        ? []
        : [`${check.name} is ${check.kind}: ${check.because}`],
    ),
    ...failed(found.objectives).map((one) => `objective missed: ${inWords(one)}`),
  ];
  if (interrupted) return { kind: 'interrupted' };
  if (because.length > 0) return { kind: 'failed', because };
  // Had it been nothing else, nothing would have been proved.
  const notChecked = found.checks.flatMap((check) =>
    check.kind === 'not-checked' ? [`${check.name}: ${check.because}`] : [],
  );
  if (notChecked.length > 0 && notChecked.length === found.checks.length)
    return { kind: 'failed', because: notChecked.map((one) => `nothing was checked: ${one}`) };
  return notChecked.length === 0 ? { kind: 'passed' } : { kind: 'passed', notChecked };
}

const failed = (assertions: readonly AssertionRecord[]) => assertions.filter((one) => !one.holds);

/** "write-rate > 5/s (measured 3.2/s)". */
export function inWords({ text, measure, value }: AssertionRecord): string {
  const measured =
    value === null
      ? 'nothing to measure'
      : `measured ${formatQuantity(measures[measure].unit, value)}`;
  return `${text} (${measured})`;
}
