import { invariant, KeyedMutex, StrongroomError, unreachable } from '../lib/index.ts';
import { authorise } from './authorise.ts';
import type { BoundRun, ProcedureContext } from './define-operation.ts';
import { type AuthorisedJourney, contextOf, withRevision } from './journey.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { PipelineParts } from './pipeline-parts.ts';
import { openReceipt, scopedRequestId, sealReceipt } from './receipts.ts';
import type { StorageView } from './storage/storage.ts';
import type { RunOutcome, TransactionRunner } from './transaction-runner.ts';

type Plain = Readonly<Record<string, unknown>>;

/**
 * Runs what changes something, on the leader: one transaction, or several for a procedure. A retry of
 * a request that was made gets the first answer.
 */
export class WriteRunner {
  readonly #parts: PipelineParts;
  readonly #runner: TransactionRunner;
  readonly #latches = new KeyedMutex();

  constructor(parts: PipelineParts, runner: TransactionRunner) {
    this.#parts = parts;
    this.#runner = runner;
  }

  async run(journey: AuthorisedJourney): Promise<Plain> {
    const { request, operation, payload, namespace, caller } = journey;
    const requestId =
      request.requestId === undefined || request.requestId.length === 0
        ? undefined
        : scopedRequestId({
            requestId: request.requestId,
            tokenHash: caller.hash,
            namespace,
            operation,
            payload,
          });
    // In the latch, so that a retry which overtakes the first attempt waits for its result.
    return this.#latches.run(latchOf(journey), () => {
      // A retry is answered before it is decided anew: its check-and-set would fail by now.
      const former = requestId && this.#parts.backend.store.receiptOf(requestId);
      if (requestId !== undefined && former !== undefined) {
        return Promise.resolve(this.#replayed(namespace, requestId, former));
      }
      switch (operation.run.kind) {
        case 'write':
          return this.#runWrite(journey, operation.run, requestId);
        case 'procedure':
          return this.#runProcedure(journey, operation.run, requestId);
        case 'read':
        case 'port':
          throw new StrongroomError('node.internal', `${operation.name} is not a write`);
        default:
          return unreachable(operation.run);
      }
    });
  }

  async #runWrite(
    journey: AuthorisedJourney,
    run: Extract<BoundRun, { readonly kind: 'write' }>,
    requestId: Uint8Array | undefined,
  ): Promise<Plain> {
    const { request, namespace } = journey;
    const followUps: (() => void)[] = [];
    const outcome = await this.#runner.run<Plain>(
      (storage) => {
        followUps.length = 0;
        if (journey.dependsOnExistence) this.#reauthorise(journey, storage);
        const afterCommit = (task: () => void) => void followUps.push(task);
        const context = Object.assign(contextOf(this.#parts, journey, storage), { afterCommit });
        return run.handle(context, journey.payload);
      },
      { signal: request.signal, requestId, receipt: this.#receiptMaker(namespace, requestId) },
    );
    for (const task of followUps) task();
    return this.#answerOf(outcome, namespace, requestId);
  }

  async #runProcedure(
    journey: AuthorisedJourney,
    run: Extract<BoundRun, { readonly kind: 'procedure' }>,
    requestId: Uint8Array | undefined,
  ): Promise<Plain> {
    const { request, namespace, operation } = journey;
    const makeReceipt = this.#receiptMaker(namespace, requestId);
    let revision: number = this.#parts.backend.store.revision;
    const transact: ProcedureContext['transact'] = async (work, options) => {
      const answerOf = options?.answer;
      const outcome = await this.#runner.run(work, {
        signal: request.signal,
        ...(answerOf === undefined || makeReceipt === undefined
          ? {}
          : { requestId, receipt: (result) => makeReceipt(answerOf(result)) }),
      });
      if (outcome.kind === 'replayed') {
        throw new StrongroomError(
          'raft.outcome-unknown',
          `Cannot tell here what became of ${operation.name}: an earlier attempt made it, retry`,
        );
      }
      revision = outcome.revision;
      return outcome;
    };
    const context = Object.assign(contextOf(this.#parts, journey, undefined), { transact });
    const answer = await run.handle(context, journey.payload);
    return withRevision(answer, revision);
  }

  /** Someone may have made, or removed, what is to be written since the policies were asked. */
  #reauthorise(journey: AuthorisedJourney, storage: StorageView): void {
    const { mount, operation, payload } = journey;
    authorise({
      operation,
      caller: journey.caller,
      namespace: journey.namespace,
      policyPath: journey.policyPath,
      request: payload,
      exists: () => mount !== undefined && operation.exists(storage, mount, payload),
    });
  }

  #receiptMaker(
    namespace: NamespaceRef,
    requestId: Uint8Array | undefined,
  ): ((answer: Plain) => Uint8Array) | undefined {
    if (requestId === undefined) return undefined;
    return (answer) => sealReceipt(this.#parts.records.barrier(), namespace, requestId, answer);
  }

  #answerOf(
    outcome: RunOutcome<Plain>,
    namespace: NamespaceRef,
    requestId: Uint8Array | undefined,
  ): Plain {
    if (outcome.kind === 'done') return withRevision(outcome.result, outcome.revision);
    invariant(requestId !== undefined, 'Only requests with an id are replayed');
    return this.#replayed(namespace, requestId, outcome);
  }

  #replayed(
    namespace: NamespaceRef,
    requestId: Uint8Array,
    former: { readonly revision: number; readonly receipt: Uint8Array | undefined },
  ): Plain {
    const barrier = this.#parts.records.barrier();
    const answer = openReceipt(barrier, namespace, requestId, former.receipt);
    return withRevision(answer, former.revision);
  }
}

/** Writes of one record wait for each other here, instead of meeting as conflicts in the store. */
function latchOf(journey: AuthorisedJourney): string {
  const { mount, payload, namespace, policyPath } = journey;
  const path = payload['path'];
  return mount === undefined
    ? `${namespace.path}:${policyPath}`
    : `${namespace.path}:${mount.path}:${typeof path === 'string' ? path : ''}`;
}
