import { StrongroomError } from '../../lib/index.ts';
import { safeForTerminal } from '../output/table.ts';
import { hintFor } from './hints.ts';

/** What a failed command says on standard error: what failed, its code, and what to do next. */
export function explainFailure(error: unknown, format: 'table' | 'json' | 'yaml'): string {
  const facts = factsOf(error);
  if (format === 'json') return `${JSON.stringify({ error: facts })}\n`;
  const lines = [`Error: ${safeForTerminal(facts.message)}`];
  if (facts.code !== undefined) lines.push(`Code:  ${facts.code}`);
  if (facts.next !== undefined) lines.push(`Next:  ${facts.next}`);
  return `${lines.join('\n')}\n`;
}

function factsOf(error: unknown) {
  if (error instanceof StrongroomError) {
    const next = hintFor(error);
    return {
      code: error.code,
      message: error.message,
      ...detailsOf(error),
      ...(next === undefined ? {} : { next }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: undefined, message, next: undefined };
}

/** Without what stands beside them as the next step. */
function detailsOf(error: StrongroomError) {
  const { next: _, ...details } = error.details;
  return Object.keys(details).length > 0 ? { details } : {};
}
