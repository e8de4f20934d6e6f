import { deferred, hasCode, hex, StrongroomError } from '../lib/index.ts';
import {
  anyMethods,
  decodeMessage,
  encodeMessage,
  type Input,
  type messages,
  methods,
  type Payload,
  WireFormatError,
} from '../wire/index.ts';
import { abortFailure, lateFailure, unreachable } from './failures.ts';
import type { Node } from './node.ts';
import { Nodes } from './nodes.ts';
import { onceOnly } from './operations.ts';
import {
  type CallOptions,
  type ClientSettings,
  type Consistency,
  clientBounds,
} from './options.ts';

type WireCall = Input<messages.PipelineCall> & { readonly operation: string };

/** One call over all its attempts. */
interface Attempts {
  readonly call: WireCall;
  readonly isStaleFine: boolean;
  /** Monotonic. */
  readonly deadlineMs: number;
  readonly options: CallOptions;
  readonly tried: Set<string>;
}

/** Makes calls: picks the node, retries where it is safe, remembers how far the client has seen. */
export class Caller {
  readonly settings: ClientSettings;
  readonly nodes: Nodes;
  #seen = 0;
  #closed = false;
  #learning: Promise<void> | undefined;
  #hasLearned = false;

  constructor(addresses: readonly string[], settings: ClientSettings) {
    this.settings = settings;
    this.nodes = new Nodes(addresses, settings);
  }

  /** The newest revision this client was told. */
  get seen(): number {
    return this.#seen;
  }

  saw(revision: unknown): void {
    if (typeof revision === 'number' && revision > this.#seen) this.#seen = revision;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.nodes.close();
    await this.#learning;
  }

  /** @throws StrongroomError */
  async call(operation: string, request: Payload, options: CallOptions): Promise<Payload> {
    const method = anyMethods.get(operation);
    if (method?.kind !== 'unary')
      throw new StrongroomError(
        'request.unknown-operation',
        `There is no operation "${operation}"`,
      );
    const { clock, timeoutMs, region } = this.settings;
    const level = options.consistency?.kind;
    const isStaleFine = level !== undefined && level !== 'linearizable';
    const deadlineMs = clock.monotonicMs() + (options.timeoutMs ?? timeoutMs);
    if (isStaleFine && region !== undefined && !this.#hasLearned)
      await this.#learnWithin(
        Math.min(clientBounds.connectMs, (deadlineMs - clock.monotonicMs()) / 2),
      );
    const encoded = encodeMessage(method.request, request);
    const ask = () =>
      this.#retrying({
        call: this.#wireCall(operation, encoded, options),
        isStaleFine,
        deadlineMs,
        options,
        tried: new Set(),
      });
    const bytes = await ask().catch((error: unknown) => {
      // The caller named no revision. What this client saw made is gone: the cluster was set up
      // anew from a snapshot, and a client would be refused until it is restarted.
      if (level !== 'eventual' || !hasCode(error, 'replication.unknown-revision')) throw error;
      this.#seen = Math.min(this.#seen, Number(error.details['revision'] ?? 0));
      return ask();
    });
    const response = readAnswer(operation, () => decodeMessage(method.response, bytes));
    this.saw(response['revision']);
    if (operation === 'cluster.status')
      this.nodes.learn(response['members'] as readonly messages.ClusterMember[]);
    return response;
  }

  /** Asks who is in the cluster and who leads it. Whoever asks at the same time shares the answer. */
  learn(): Promise<void> {
    if (this.#closed || this.settings.token === undefined) return Promise.resolve();
    this.#learning ??= this.#learn().finally(() => {
      this.#learning = undefined;
    });
    return this.#learning;
  }

  /** Who is asked without it is not the nearest, at worst. */
  async #learnWithin(waitMs: number): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const timer = this.settings.clock.after(waitMs, resolve);
    await Promise.race([this.learn(), promise]);
    timer.cancel();
  }

  async #learn(): Promise<void> {
    const { operation, request, response } = methods['cluster.status'];
    const options = { consistency: { kind: 'eventual' }, namespace: '' } as const;
    const call = this.#wireCall(operation, encodeMessage(request, {}), options);
    for (const node of this.nodes.inOrder(false)) {
      try {
        const session = await node.session(clientBounds.connectMs);
        const deadlineMs = clientBounds.connectMs;
        const bytes = await session.call({ ...call, deadlineMs }, deadlineMs, undefined);
        this.nodes.learn(readAnswer(operation, () => decodeMessage(response, bytes)).members);
        this.#hasLearned = true;
        return;
      } catch (error) {
        // A sealed node, or a token without the right: what is known has to do.
        if (!(error instanceof StrongroomError)) throw error;
        if (this.#closed || error.traits.retry === 'never') return;
      }
    }
  }

  #wireCall(operation: string, request: Uint8Array, options: CallOptions): WireCall {
    const { random, settings } = { random: this.settings.random, settings: this.settings };
    const token = options.token ?? settings.token;
    const namespace = options.namespace ?? settings.namespace;
    const level = wireConsistency(options.consistency, this.#seen);
    return {
      operation,
      request,
      requestId: options.requestId ?? random.bytes(16),
      // Made here, so that all attempts carry the same one.
      correlationId: options.correlationId ?? hex(random.bytes(8)),
      ...(token === undefined ? {} : { token }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(level === undefined ? {} : { consistency: level }),
    };
  }

  async #retrying(attempts: Attempts): Promise<Uint8Array> {
    const { clock } = this.settings;
    const { call, options } = attempts;
    const attemptsMax = options.attemptsMax ?? clientBounds.attemptsMax;
    let last: StrongroomError | undefined;
    /** The last failure that says more than that time ran out. */
    let told: StrongroomError | undefined;
    for (let count = 0; count < attemptsMax; count++) {
      if (this.#closed) throw unreachable('the client was closed', { isSent: false });
      if (options.signal?.aborted === true) throw abortFailure(options.signal);
      const leftMs = attempts.deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      const node = this.#nextNode(attempts);
      try {
        const response = await this.#askOnce(node, attempts, leftMs);
        this.nodes.worked(node);
        return response;
      } catch (error) {
        if (!(error instanceof StrongroomError) || !mayRetry(error, attempts)) throw error;
        const isLate = error.code === 'request.deadline-exceeded';
        last = isLate ? lateFailure(call.operation, told) : error;
        if (!isLate) told = error;
        if (count + 1 === attemptsMax) break;
        if (!(await this.#beforeNext(node, error, attempts, count))) break;
      }
    }
    throw last ?? lateFailure(call.operation);
  }

  #nextNode({ options, isStaleFine, tried }: Attempts): Node {
    if (options.address !== undefined) return this.nodes.at(options.address);
    const order = this.nodes.inOrder(isStaleFine);
    let next = order.find((node) => !tried.has(node.target));
    if (next === undefined) {
      tried.clear();
      next = order[0];
    }
    if (next === undefined) throw unreachable('no node is known', { isSent: false });
    tried.add(next.target);
    return next;
  }

  async #askOnce(node: Node, attempts: Attempts, leftMs: number): Promise<Uint8Array> {
    const { call, options } = attempts;
    const session = await node.session(leftMs, options.signal);
    const timeoutMs = patienceMs(attempts, attempts.deadlineMs - this.settings.clock.monotonicMs());
    const deadlineMs = Math.max(1, Math.ceil(timeoutMs));
    return session.call({ ...call, deadlineMs }, timeoutMs, options.signal);
  }

  /**
   * Notes what the failure says of the node, and waits where asking at once would not help.
   * @returns false when no time is left for that.
   */
  async #beforeNext(
    node: Node,
    error: StrongroomError,
    { deadlineMs, isStaleFine, options, tried }: Attempts,
    count: number,
  ): Promise<boolean> {
    const { clock, random } = this.settings;
    if (isNodeAtFault(error)) this.nodes.failed(node);
    void this.learn();
    // The other nodes are asked at once; when all were, the cluster is given time, with jitter.
    const hasOthers = this.nodes.inOrder(isStaleFine).some((one) => !tried.has(one.target));
    if (isNodeAtFault(error) && hasOthers && options.address === undefined) return true;
    const ceilingMs = Math.min(clientBounds.backoffMsMax, clientBounds.backoffMsMin * 2 ** count);
    const askedMs = Number(error.details['retryAfterMs'] ?? 0);
    const waitMs = askedMs + ceilingMs / 2 + random.below(Math.ceil(ceilingMs / 2)) + 1;
    if (clock.monotonicMs() + waitMs >= deadlineMs) return false;
    await pause(waitMs, this.settings, options.signal);
    return true;
  }
}

/** How long one attempt may take, with `leftMs` for it and all that may follow. */
function patienceMs({ call, options }: Attempts, leftMs: number): number {
  const { attemptMs } = clientBounds;
  if (onceOnly.has(call.operation)) return leftMs;
  // One node that hangs must not use up the time that another needs, or another connection to it.
  if (options.address === undefined) return Math.min(leftMs, attemptMs);
  return options.attemptsMax === 1 ? leftMs : Math.min(leftMs, Math.max(attemptMs, leftMs / 2));
}

/** Another node may well answer where this one did not. */
function isNodeAtFault(error: StrongroomError): boolean {
  return error.traits.retry === 'other-node' || error.code === 'request.deadline-exceeded';
}

/** Only what certainly did nothing, or is safe to do twice, is asked again. */
function mayRetry(error: StrongroomError, { call, options }: Attempts): boolean {
  if (options.signal?.aborted === true || error.traits.retry === 'never') return false;
  if (!onceOnly.has(call.operation)) return true;
  if (error.code === 'client.unreachable') return error.details['isSent'] === false;
  return error.code !== 'request.deadline-exceeded' && error.code !== 'raft.outcome-unknown';
}

function pause(
  delayMs: number,
  { clock }: ClientSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      timer.cancel();
      if (signal !== undefined) reject(abortFailure(signal));
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** @throws StrongroomError `node.internal`: the node speaks another protocol. */
function readAnswer<T>(operation: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof WireFormatError)) throw cause;
    throw new StrongroomError('node.internal', `The answer to "${operation}" cannot be read`, {
      cause,
    });
  }
}

/** A read that may be stale still sees what this client itself has written. */
function wireConsistency(
  level: Consistency | undefined,
  seen: number,
): Input<messages.Consistency> | undefined {
  switch (level?.kind) {
    case 'linearizable':
      return { linearizable: true };
    case 'at-least':
      return { atLeastRevision: level.revision };
    case 'bounded':
      return { boundedStalenessMs: level.stalenessMs };
    case 'eventual':
      return seen > 0 ? { atLeastRevision: seen } : { eventual: true };
    default:
      return undefined;
  }
}
