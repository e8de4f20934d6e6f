import { StrongroomError, unreachable } from '../../lib/index.ts';
import type { Consistency } from '../../vault/index.ts';
import type { messages } from '../../wire/index.ts';

/** Reads "linearizable", "revision:N", "bounded:MS" or "eventual". @throws `request.invalid` */
export function parseConsistency(text: string): Consistency {
  if (text === 'linearizable' || text === 'eventual') return { kind: text };
  const [, kind, digits] = /^(revision|bounded):(\d{1,16})$/.exec(text) ?? [];
  const value = Number(digits);
  if (kind === undefined || !Number.isSafeInteger(value)) throw refused();
  return kind === 'revision'
    ? { kind: 'at-least', revision: value }
    : { kind: 'bounded', stalenessMs: value };
}

/** The inverse of `parseConsistency`. */
export function formatConsistency(consistency: Consistency): string {
  switch (consistency.kind) {
    case 'linearizable':
    case 'eventual':
      return consistency.kind;
    case 'at-least':
      return `revision:${consistency.revision}`;
    case 'bounded':
      return `bounded:${consistency.stalenessMs}`;
    default:
      return unreachable(consistency);
  }
}

/** The message of a pipeline call; undefined when it names no level. @throws `request.invalid` */
export function consistencyOf(message: messages.Consistency): Consistency | undefined {
  if (message.linearizable === true) return { kind: 'linearizable' };
  if (message.eventual === true) return { kind: 'eventual' };
  const { atLeastRevision, boundedStalenessMs } = message;
  if (atLeastRevision !== undefined) return parseConsistency(`revision:${safe(atLeastRevision)}`);
  if (boundedStalenessMs !== undefined)
    return parseConsistency(`bounded:${safe(boundedStalenessMs)}`);
  return undefined;
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw refused();
  return value;
}

function refused(): StrongroomError {
  return new StrongroomError(
    'request.invalid',
    'The consistency is none of "linearizable", "revision:N", "bounded:MS" and "eventual", ' +
      'with N and MS whole numbers below 2^53',
  );
}
