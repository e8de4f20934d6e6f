import { hasCode, invariant, StrongroomError } from '../lib/index.ts';
import type { AuditedRequest } from './auditor.ts';
import { authorise } from './authorise.ts';
import type { CallContext, Operation } from './define-operation.ts';
import { type AuthorisedJourney, contextOf, type Journey, withRevision } from './journey.ts';
import { checkMessage } from './message.ts';
import type { MountRef } from './mounts/mount-record.ts';
import { checkPolicyPath } from './paths.ts';
import type { PipelineParts } from './pipeline-parts.ts';
import { RequestMetrics } from './request-metrics.ts';
import type { Caller } from './tokens/caller.ts';
import { takeUse } from './tokens/token-uses.ts';
import { TransactionRunner, throwIfAborted } from './transaction-runner.ts';
import { TurnBudget } from './turn-budget.ts';
import type { VaultAnswer, VaultRequest } from './vault.ts';
import { WriteRunner } from './write-runner.ts';

type Plain = Readonly<Record<string, unknown>>;

/** Requests handled at once on one node; more are told to come back. */
export const REQUESTS_IN_FLIGHT_MAX = 10_000;
/** A hand-over of leadership has succeeded or was given up by then. */
const MOVE_MS = 1_000;
const MOVE_PAUSE_MS = 20;
/** A node that leads and still refuses what came back to it says so after this: another may know more. */
const MOVES_MS = 3 * MOVE_MS;

/** A face's request, handled. */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #metrics: RequestMetrics;
  readonly #runner: TransactionRunner;
  readonly #writes: WriteRunner;
  readonly #turns: TurnBudget;
  /** Since when requests are on the move: one may come back here again and again. */
  readonly #moving = new WeakMap<VaultRequest, number>();
  #inFlight = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#metrics = new RequestMetrics(parts.metrics);
    this.#runner = new TransactionRunner(parts.storage, (tx, signal) =>
      parts.backend.commit(tx, signal),
    );
    this.#writes = new WriteRunner(parts, this.#runner);
    this.#turns = new TurnBudget(parts.clock);
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
      // All that waited for the same index come from there in one turn.
      const turn = this.#turns.enter();
      if (turn !== undefined) await turn;
      throwIfAborted(request.signal);
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
      const turn = this.#turns.enter();
      if (turn !== undefined) await turn;
      answer =
        operation.run.kind === 'port'
          ? withRevision(
              await operation.run.handle(this.#callContext(journey), payload),
              this.#parts.backend.store.revision,
            )
          : await this.#writes.run(authorised);
    } catch (error) {
      await this.#parts.auditor.response(audited, undefined, error);
      if (mayMove(error, operation, caller)) return this.#move(request, error);
      throw error;
    }
    await this.#parts.auditor.response(audited, answer);
    return answer;
  }

  /**
   * Leadership went elsewhere before anything was written, and so does the request: whoever asks any
   * node for a write sees a pause when leadership is handed over, not a failure.
   */
  async #move(request: VaultRequest, refusal: unknown): Promise<Plain> {
    const { backend, clock } = this.#parts;
    const sinceMs = this.#moving.get(request) ?? clock.monotonicMs();
    if (clock.monotonicMs() - sinceMs >= MOVES_MS) throw refusal;
    this.#moving.set(request, sinceMs);
    // While it is being handed over, this node leads on and takes no writes.
    for (let waitedMs = 0; backend.isLeader() && waitedMs < MOVE_MS; waitedMs += MOVE_PAUSE_MS) {
      throwIfAborted(request.signal);
      await new Promise<void>((resolve) => clock.after(MOVE_PAUSE_MS, resolve));
    }
    throwIfAborted(request.signal);
    return (await backend.forward(request)).payload;
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
    // Health is asked every second and tells nothing. Shares are audited though the node is sealed
    // and hashes with a passing key: who opened it is what a break-glass has to be answered for.
    const isAudited = operation.effect === 'write';
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
      const pending = run.handle(contextOf(this.#parts, journey, storage), journey.payload);
      answer = withRevision(pending instanceof Promise ? await pending : pending, storage.revision);
    } catch (error) {
      await Promise.all([auditor.request(audited), auditor.response(audited, undefined, error)]);
      throw error;
    }
    await Promise.all([auditor.request(audited), auditor.response(audited, answer)]);
    return answer;
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

  #audited(journey: Journey, caller: Caller | undefined): AuditedRequest {
    return {
      operation: journey.operation,
      namespace: journey.namespace,
      caller,
      payload: journey.payload,
      correlationId: journey.request.correlationId,
      remoteAddress: journey.request.remoteAddress,
      nowMs: journey.nowMs,
    };
  }
}

/**
 * Only what is one transaction: of more, some may have been made. And not with a token whose uses are
 * counted: the new leader would take a second one.
 */
function mayMove(error: unknown, operation: Operation, caller: Caller): boolean {
  const isUncounted = caller.record.usesLeft === 0;
  return operation.run.kind === 'write' && isUncounted && hasCode(error, 'raft.not-leader');
}

function runsOnLeader(operation: Operation): boolean {
  const { run } = operation;
  return (
    run.kind === 'write' || run.kind === 'procedure' || (run.kind === 'port' && run.at === 'leader')
  );
}
