import {
  type Clock,
  invariant,
  KeyedMutex,
  type Random,
  StrongroomError,
  unreachable,
} from '../lib/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import type { AuditedRequest, Auditor } from './auditor.ts';
import { authorise } from './authorise.ts';
import type { BoundRun, CallContext, Operation, ProcedureContext } from './define-operation.ts';
import { checkMessage } from './message.ts';
import type { MountRef } from './mounts/mount-record.ts';
import { type MountTable, notMounted } from './mounts/mount-table.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { NamespaceRegistry } from './namespaces/namespace-registry.ts';
import { checkPolicyPath } from './paths.ts';
import type { VaultBackend } from './ports.ts';
import { openReceipt, scopedRequestId, sealReceipt } from './receipts.ts';
import type { RecordCache } from './record-cache.ts';
import { RequestMetrics } from './request-metrics.ts';
import type { StorageTransaction, StorageView } from './storage/storage.ts';
import type { StoragePort } from './storage-port.ts';
import type { Authenticator } from './tokens/authenticator.ts';
import type { Caller } from './tokens/caller.ts';
import { takeUse } from './tokens/token-uses.ts';
import { type RunOutcome, TransactionRunner, throwIfAborted } from './transaction-runner.ts';
import type { VaultAnswer, VaultRequest } from './vault.ts';

type Plain = Readonly<Record<string, unknown>>;

/** Requests handled at once on one node; more are told to come back. */
export const REQUESTS_IN_FLIGHT_MAX = 10_000;

export interface PipelineParts {
  readonly operations: ReadonlyMap<string, Operation>;
  readonly backend: VaultBackend;
  readonly storage: StoragePort;
  readonly records: RecordCache;
  readonly namespaces: NamespaceRegistry;
  readonly mounts: MountTable;
  readonly authenticator: Authenticator;
  readonly auditor: Auditor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A request on its way, with what was found out about it so far. */
interface Journey {
  readonly request: VaultRequest;
  readonly operation: Operation;
  readonly payload: Plain;
  readonly namespace: NamespaceRef;
  readonly policyPath: string;
  readonly nowMs: number;
}

interface AuthorisedJourney extends Journey {
  readonly caller: Caller;
  readonly mount: MountRef | undefined;
  readonly dependsOnExistence: boolean;
}

/** A face's request, handled. */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #metrics: RequestMetrics;
  readonly #runner: TransactionRunner;
  readonly #latches = new KeyedMutex();
  #inFlight = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#metrics = new RequestMetrics(parts.metrics);
    this.#runner = new TransactionRunner(parts.storage, (tx, signal) =>
      parts.backend.commit(tx, signal),
    );
  }

  get runner(): TransactionRunner {
    return this.#runner;
  }

  /** @throws StrongroomError */
  async handle(request: VaultRequest): Promise<VaultAnswer> {
    const startedAt = this.#parts.clock.monotonicMs();
    const operation = this.#parts.operations.get(request.operation);
    if (operation === undefined) {
      throw new StrongroomError(
        'request.unknown-operation',
        'Cannot handle the request: there is no operation of this name',
      );
    }
    if (this.#inFlight >= REQUESTS_IN_FLIGHT_MAX) {
      throw new StrongroomError(
        'request.overloaded',
        `Cannot take the request: ${REQUESTS_IN_FLIGHT_MAX} are being handled, retry with backoff`,
      );
    }
    this.#metrics.inFlight(++this.#inFlight);
    let failure: unknown;
    try {
      throwIfAborted(request.signal);
      return { payload: await this.#handle(operation, request) };
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.#metrics.inFlight(--this.#inFlight);
      const seconds = (this.#parts.clock.monotonicMs() - startedAt) / 1000;
      this.#metrics.finished(operation.name, seconds, failure);
    }
  }

  async #handle(operation: Operation, request: VaultRequest): Promise<Plain> {
    const payload = checkMessage(operation.request, request.payload);
    if (operation.access === 'anonymous') return this.#handleAnonymous(operation, request, payload);

    if (runsOnLeader(operation) && !this.#parts.backend.isLeader()) {
      return (await this.#parts.backend.forward(request)).payload;
    }
    // Sealed is told before anything is looked up.
    this.#parts.records.barrier();
    if (operation.run.kind === 'read') {
      await this.#parts.backend.freshen(
        request.consistency ?? { kind: 'linearizable' },
        request.signal,
      );
    }
    const namespace = this.#parts.namespaces.resolve(request.namespace);
    const journey: Journey = {
      request,
      operation,
      payload,
      namespace,
      policyPath: checkPolicyPath(operation.policyPath(payload)),
      nowMs: this.#parts.clock.wallMs(),
    };
    return this.#withCaller(journey);
  }

  async #withCaller(journey: Journey): Promise<Plain> {
    const { request, operation, namespace, payload } = journey;
    let caller: Caller | undefined;
    let authorised: AuthorisedJourney;
    try {
      caller = this.#parts.authenticator.authenticate(request.token, namespace, journey.nowMs);
      if (caller.record.usesLeft > 0) {
        // Uses are counted where writes are made, so that no use is counted twice or not at all.
        if (!this.#parts.backend.isLeader()) {
          return (await this.#parts.backend.forward(request)).payload;
        }
        const taker = caller;
        await this.#runner.run((storage) => takeUse(storage, taker), { signal: request.signal });
      }
      authorised = { ...journey, ...this.#authorise(journey, caller), caller };
    } catch (error) {
      await this.#parts.auditor.request(this.#audited(journey, caller), error);
      throw error;
    }
    const audited = this.#audited(journey, caller);
    if (operation.run.kind === 'read') return this.#read(authorised, audited);

    await this.#parts.auditor.request(audited);
    let answer: Plain;
    try {
      answer =
        operation.run.kind === 'port'
          ? withRevision(
              await operation.run.handle(this.#callContext(journey), payload),
              this.#parts.backend.store.revision,
            )
          : await this.#write(authorised);
    } catch (error) {
      await this.#parts.auditor.response(audited, undefined, error);
      throw error;
    }
    await this.#parts.auditor.response(audited, answer);
    return answer;
  }

  /** Status, init, unseal, join: they must work before there is a keyring to know tokens by. */
  async #handleAnonymous(
    operation: Operation,
    request: VaultRequest,
    payload: Plain,
  ): Promise<Plain> {
    const { run } = operation;
    invariant(run.kind === 'port', 'An anonymous operation reaches no storage', {
      operation: operation.name,
    });
    const { backend, auditor } = this.#parts;
    if (run.at === 'leader' && !backend.isLeader()) {
      return (await backend.forward(request)).payload;
    }
    const journey: Journey = {
      request,
      operation,
      payload,
      namespace: this.#parts.namespaces.resolve(''),
      policyPath: operation.policyPath(payload),
      nowMs: this.#parts.clock.wallMs(),
    };
    // Health is asked every second and tells nothing; and a sealed node has no audit key.
    const isAudited = operation.effect === 'write' && backend.barrier() !== undefined;
    const audited = this.#audited(journey, undefined);
    if (isAudited) await auditor.request(audited);
    try {
      const answer = withRevision(
        await run.handle(this.#callContext(journey), payload),
        operation.response['revision'] === undefined ? undefined : backend.store.revision,
      );
      if (isAudited) await auditor.response(audited, answer);
      return answer;
    } catch (error) {
      if (isAudited) await auditor.response(audited, undefined, error);
      throw error;
    }
  }

  #authorise(
    journey: Journey,
    caller: Caller,
  ): { readonly mount: MountRef | undefined; readonly dependsOnExistence: boolean } {
    const { operation, namespace, payload } = journey;
    // A caller without rights is not told which mounts there are.
    let mount: MountRef | undefined;
    let missing: unknown;
    if (operation.engine !== undefined) {
      try {
        mount = this.#parts.mounts.find(namespace, String(payload['mount']), operation.engine);
      } catch (error) {
        missing = error;
      }
    }
    const { dependsOnExistence } = authorise({
      operation,
      caller,
      namespace,
      policyPath: journey.policyPath,
      request: payload,
      exists: () => {
        if (mount === undefined) return false;
        using storage = this.#parts.storage.view();
        return operation.exists(storage, mount, payload);
      },
    });
    if (missing !== undefined) throw missing;
    if (operation.rootNamespaceOnly && namespace.path !== '') {
      throw new StrongroomError(
        'request.invalid',
        `Cannot run ${operation.name} in a namespace: it concerns the whole cluster`,
      );
    }
    return { mount, dependsOnExistence };
  }

  /** Both records go to the sinks in one turn and share a write: the answer waits for them. */
  async #read(journey: AuthorisedJourney, audited: AuditedRequest): Promise<Plain> {
    const { run } = journey.operation;
    invariant(run.kind === 'read', 'Not a read', { operation: journey.operation.name });
    const { auditor } = this.#parts;
    let answer: Plain;
    try {
      using storage = this.#parts.storage.view();
      const pending = run.handle(this.#context(journey, storage), journey.payload);
      answer = withRevision(pending instanceof Promise ? await pending : pending, storage.revision);
    } catch (error) {
      await Promise.all([auditor.request(audited), auditor.response(audited, undefined, error)]);
      throw error;
    }
    await Promise.all([auditor.request(audited), auditor.response(audited, answer)]);
    return answer;
  }

  async #write(journey: AuthorisedJourney): Promise<Plain> {
    const { request, operation, payload, namespace, caller } = journey;
    const requestId =
      request.requestId === undefined || request.requestId.length === 0
        ? undefined
        : scopedRequestId({
            requestId: request.requestId,
            tokenHash: caller.hash,
            namespace,
            operation: operation.name,
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
        const context = Object.assign(this.#context(journey, storage), { afterCommit });
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
    const context = Object.assign(this.#context(journey, undefined), { transact });
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

  #callContext(journey: Journey): CallContext {
    const { request, nowMs } = journey;
    return {
      log: this.#parts.log,
      signal: request.signal,
      nowMs,
      token: request.token,
      remoteAddress: request.remoteAddress,
    };
  }

  /** Not to be spread: `mount` throws for operations of no engine. */
  #context<Storage extends StorageView | StorageTransaction | undefined>(
    journey: AuthorisedJourney,
    storage: Storage,
  ) {
    const { mount, operation } = journey;
    return {
      storage,
      log: this.#parts.log,
      signal: journey.request.signal,
      nowMs: journey.nowMs,
      namespace: journey.namespace,
      caller: journey.caller,
      random: this.#parts.random,
      get mount(): MountRef {
        if (mount === undefined) throw notMounted(operation.engine ?? 'none');
        return mount;
      },
    };
  }

  #audited(journey: Journey, caller: Caller | undefined): AuditedRequest {
    return {
      operation: journey.operation,
      namespace: journey.namespace,
      path: journey.policyPath,
      caller,
      payload: journey.payload,
      correlationId: journey.request.correlationId,
      remoteAddress: journey.request.remoteAddress,
      nowMs: journey.nowMs,
    };
  }
}

function runsOnLeader(operation: Operation): boolean {
  const { run } = operation;
  return (
    run.kind === 'write' || run.kind === 'procedure' || (run.kind === 'port' && run.at === 'leader')
  );
}

/** Writes of one record wait for each other here, instead of meeting as conflicts in the store. */
function latchOf(journey: AuthorisedJourney): string {
  const { mount, payload, namespace, policyPath } = journey;
  const path = payload['path'];
  return mount === undefined
    ? `${namespace.path}:${policyPath}`
    : `${namespace.path}:${mount.path}:${typeof path === 'string' ? path : ''}`;
}

function withRevision(answer: Plain, revision: number | undefined): Plain {
  return revision === undefined || answer['revision'] !== undefined
    ? answer
    : { ...answer, revision };
}
