import type { RunRecord } from '../runner/record.ts';
import { BROKEN } from '../runner/verdict.ts';
import { PROMISES, type Trial } from './seeded-fault.ts';

/** What found the fault, and in which words. */
export interface Catch {
  readonly by: string;
  readonly because: string;
}

/**
 * Which of those that must catch it did. Only a violation counts: a check that is undecided, a node
 * that does not answer or an objective that is missed says that something is wrong, not what.
 */
export function caughtBy(
  { checks, verdict }: Pick<RunRecord, 'checks' | 'verdict'>,
  { by }: Trial,
): readonly Catch[] {
  const caught: Catch[] = [];
  for (const check of checks)
    if (check.kind === 'violation' && by.includes(check.name))
      caught.push({ by: check.name, because: check.because });
  const broken =
    verdict.kind === 'failed' ? verdict.because.find((why) => why.startsWith(BROKEN)) : undefined;
  if (broken !== undefined && by.includes(PROMISES))
    caught.unshift({ by: PROMISES, because: broken });
  return caught;
}
