import { checkLinearizability, type Model } from './checker.ts';
import type { Operation } from './operation.ts';

const STEPS_MAX = 500_000;
const TRIES_MAX = 500;

/**
 * A smaller history that is still in violation. What happened after the first contradiction goes;
 * then reads go, large pieces first (delta debugging, Zeller 1999). Writes stay: without a write
 * that was acknowledged, any read of its value would be a "violation".
 */
export function minimalHistory<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  isRead: (input: Input) => boolean,
): readonly Operation<Input, Output>[] {
  const fails = (some: readonly Operation<Input, Output>[]) =>
    checkLinearizability(model, some, STEPS_MAX).kind === 'violation';
  let kept = shortestPrefix(history, fails);
  let tries = 0;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < kept.length && tries < TRIES_MAX; tries++) {
      const piece = kept.slice(at, at + size);
      const without = kept.filter((one) => !piece.includes(one) || !isRead(one.input));
      if (without.length < kept.length && fails(without)) kept = without;
      else at += size;
    }
  }
  return kept;
}

/** Until the earliest moment at which the answers so far contradict each other. */
function shortestPrefix<Input, Output>(
  history: readonly Operation<Input, Output>[],
  fails: (some: readonly Operation<Input, Output>[]) => boolean,
): readonly Operation<Input, Output>[] {
  const returns = history
    .map((one) => one.returnedAt)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  // A contradiction never goes away, so the moments before it are told from those after by halving.
  let low = 0;
  let high = returns.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fails(until(history, returns[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  const prefix = until(history, returns[high] ?? Number.POSITIVE_INFINITY);
  return fails(prefix) ? prefix : history;
}

/** What was known at one moment: answers that came later are not known yet. */
function until<Input, Output>(
  history: readonly Operation<Input, Output>[],
  atMs: number,
): readonly Operation<Input, Output>[] {
  return history
    .filter((one) => one.calledAt <= atMs)
    .map((one) =>
      one.returnedAt <= atMs
        ? one
        : { ...one, output: undefined, returnedAt: Number.POSITIVE_INFINITY },
    );
}
