import type { Operation } from './operation.ts';

/** A sequential specification: what one operation may answer in one state. */
export interface Model<State, Input, Output> {
  /** Operations with different keys never influence one another, and are checked apart. */
  readonly keyOf: (input: Input) => string;
  readonly initial: State;
  /**
   * The state after the operation, or `undefined` when it could not have answered `output` here.
   * With an unknown output every effect that the input may have is accepted.
   */
  readonly step: (state: State, input: Input, output: Output | undefined) => State | undefined;
  /** Equal states, and only those, have equal texts. */
  readonly describe: (state: State) => string;
}

export type Verdict<Input, Output> =
  | { readonly kind: 'linearizable' }
  | {
      readonly kind: 'violation';
      readonly key: string;
      /** The longest prefix of a legal order that was found: what came next could not happen. */
      readonly longestOrder: readonly Operation<Input, Output>[];
      readonly history: readonly Operation<Input, Output>[];
    }
  /** Out of its budget of steps. Counts as a failure: nothing was proved. */
  | { readonly kind: 'undecided'; readonly key: string };

const STEPS_MAX = 20_000_000;

/**
 * Decides whether a history is linearizable: the depth-first search of Wing and Gong (1993) with
 * the state cache of Lowe (2017), one key at a time (P-compositionality, Horn and Kroening 2015).
 *
 * @param stepsMax bound on search steps over the whole history.
 */
export function checkLinearizability<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  stepsMax: number = STEPS_MAX,
): Verdict<Input, Output> {
  const byKey = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const key = model.keyOf(operation.input);
    const list = byKey.get(key);
    if (list === undefined) byKey.set(key, [operation]);
    else list.push(operation);
  }
  const budget = { steps: stepsMax };
  for (const [key, operations] of byKey) {
    const outcome = searchOrder(model, operations, budget);
    if (outcome.kind === 'undecided') return { kind: 'undecided', key };
    if (outcome.kind === 'none') {
      const longestOrder = outcome.longest.flatMap((at) => operations[at] ?? []);
      return { kind: 'violation', key, longestOrder, history: operations };
    }
  }
  return { kind: 'linearizable' };
}

type SearchOutcome =
  | { readonly kind: 'found' }
  | { readonly kind: 'none'; readonly longest: readonly number[] }
  | { readonly kind: 'undecided' };

/** An event of one operation in a doubly linked list ordered by time. */
interface Event {
  readonly operation: number;
  /** The matching return event; undefined in the return event itself. */
  readonly returns: Event | undefined;
  previous: Event | undefined;
  next: Event | undefined;
}

function searchOrder<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  budget: { steps: number },
): SearchOutcome {
  const head = linkEvents(operations);
  const done = new Uint8Array(Math.ceil(operations.length / 8));
  const seen = new Set<string>();
  const stack: { readonly call: Event; readonly state: State }[] = [];
  let state = model.initial;
  let longest: readonly number[] = [];
  let event = head.next;

  while (head.next !== undefined) {
    if (--budget.steps < 0) return { kind: 'undecided' };
    if (event?.returns !== undefined) {
      const operation = operations[event.operation];
      const next = operation && model.step(state, operation.input, operation.output);
      if (next !== undefined && markIfNew(seen, done, event.operation, model.describe(next))) {
        stack.push({ call: event, state });
        if (stack.length > longest.length) longest = stack.map((one) => one.call.operation);
        state = next;
        lift(event);
        event = head.next;
      } else {
        event = event.next;
      }
      continue;
    }
    // A return before its call was placed, or the end of the list: take back the last choice.
    const last = stack.pop();
    if (last === undefined) return { kind: 'none', longest };
    state = last.state;
    clearBit(done, last.call.operation);
    unlift(last.call);
    event = last.call.next;
  }
  return { kind: 'found' };
}

function linkEvents<Input, Output>(operations: readonly Operation<Input, Output>[]): Event {
  const head: Event = { operation: -1, returns: undefined, previous: undefined, next: undefined };
  const timed: { readonly at: number; readonly rank: number; readonly event: Event }[] = [];
  operations.forEach((operation, index) => {
    const returns: Event = {
      operation: index,
      returns: undefined,
      previous: undefined,
      next: undefined,
    };
    const call: Event = { operation: index, returns, previous: undefined, next: undefined };
    const until = operation.output === undefined ? Number.POSITIVE_INFINITY : operation.returnedAt;
    // At one instant calls come first: equal times are then concurrent, which accuses nobody.
    timed.push({ at: operation.calledAt, rank: 0, event: call });
    timed.push({ at: until, rank: 1, event: returns });
  });
  timed.sort((a, b) => (a.at === b.at ? a.rank - b.rank : a.at < b.at ? -1 : 1));
  let previous = head;
  for (const { event } of timed) {
    previous.next = event;
    event.previous = previous;
    previous = event;
  }
  return head;
}

function lift(call: Event): void {
  for (const event of [call, call.returns]) {
    if (event?.previous !== undefined) event.previous.next = event.next;
    if (event?.next !== undefined) event.next.previous = event.previous;
  }
}

/** Undoes `lift`, in the opposite order. */
function unlift(call: Event): void {
  for (const event of [call.returns, call]) {
    if (event?.previous !== undefined) event.previous.next = event;
    if (event?.next !== undefined) event.next.previous = event;
  }
}

/** Marks the operation as placed, unless the same set was already tried in the same state. */
function markIfNew(seen: Set<string>, done: Uint8Array, operation: number, state: string): boolean {
  const byte = operation >> 3;
  done[byte] = (done[byte] ?? 0) | (1 << (operation & 7));
  const key = `${Buffer.from(done.buffer).toString('latin1')}|${state}`;
  if (!seen.has(key)) {
    seen.add(key);
    return true;
  }
  clearBit(done, operation);
  return false;
}

function clearBit(done: Uint8Array, operation: number): void {
  const byte = operation >> 3;
  done[byte] = (done[byte] ?? 0) & ~(1 << (operation & 7));
}
