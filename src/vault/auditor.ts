import { StrongroomError } from '../lib/index.ts';
import type { AuditRecord, AuditSink } from './audit.ts';
import { type AuditHasher, hashSensitive } from './audit-hash.ts';
import { type Operation, templateParts } from './define-operation.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { Caller } from './tokens/caller.ts';
import type { TokenRecord } from './tokens/token-record.ts';

type Plain = Readonly<Record<string, unknown>>;

/** What is told of a request, in both of its records. */
export interface AuditedRequest {
  readonly operation: Operation;
  readonly namespace: NamespaceRef;
  /** As {@link Operation.pathTemplate}, where that of the operation does not tell the path. */
  readonly pathTemplate?: string;
  readonly caller: Caller | undefined;
  readonly payload: Plain;
  readonly correlationId: string;
  readonly remoteAddress: string;
  readonly nowMs: number;
}

/** Writes the audit records of requests. */
export class Auditor {
  readonly #sinks: readonly AuditSink[];
  readonly #hash: AuditHasher;
  /** What a request's two records share: made, and hashed, once. */
  readonly #told = new WeakMap<AuditedRequest, string>();
  /** Who asked, as every record of the same token tells it. A record that changes is another object. */
  readonly #callers = new WeakMap<TokenRecord, string>();

  constructor(sinks: readonly AuditSink[], hash: AuditHasher) {
    this.#sinks = sinks;
    this.#hash = hash;
  }

  /**
   * The record of a request that is about to run, or was refused.
   * @throws StrongroomError `audit.sink-failed` when no sink took it: the request is refused.
   */
  async request(about: AuditedRequest, error?: unknown): Promise<void> {
    if (this.#sinks.length === 0) return;
    const members = this.#shared(about) + errorMember(error);
    await this.#append({ type: 'request', members });
  }

  /** The record of an answer that is about to go out. */
  async response(about: AuditedRequest, answer: Plain | undefined, error?: unknown): Promise<void> {
    if (this.#sinks.length === 0) return;
    let members = this.#shared(about) + errorMember(error);
    if (answer !== undefined) {
      const told = hashSensitive(about.operation.response, answer, this.#hash);
      members += `,"response":${JSON.stringify(told)}`;
    }
    await this.#append({ type: 'response', members });
  }

  /** One sink that took it is enough. */
  async #append(record: AuditRecord): Promise<void> {
    const [only] = this.#sinks;
    if (only !== undefined && this.#sinks.length === 1) return only.append(record);
    const outcomes = await Promise.allSettled(this.#sinks.map((sink) => sink.append(record)));
    const failed = outcomes.filter((one) => one.status === 'rejected');
    if (failed.length === outcomes.length) throw failed[0]?.reason;
  }

  #shared(about: AuditedRequest): string {
    let told = this.#told.get(about);
    if (told === undefined) {
      told = this.#tell(about);
      this.#told.set(about, told);
    }
    return told;
  }

  #tell(about: AuditedRequest): string {
    const { caller, operation } = about;
    const hash = remembering(this.#hash);
    const path = pathOf(about, hash);
    const request = hashSensitive(operation.request, about.payload, hash);
    return (
      `"time":"${new Date(about.nowMs).toISOString()}"` +
      `,"correlationId":${JSON.stringify(about.correlationId)}` +
      `,"operation":"${operation.name}"` +
      `,"namespace":${JSON.stringify(about.namespace.path)}` +
      `,"path":${JSON.stringify(path)}` +
      `,"remoteAddress":${JSON.stringify(about.remoteAddress)}` +
      (caller === undefined ? '' : this.#auth(caller)) +
      `,"request":${JSON.stringify(request)}`
    );
  }

  #auth(caller: Caller): string {
    const { record } = caller;
    let told = this.#callers.get(record);
    if (told === undefined) {
      told = `,"auth":${JSON.stringify({
        accessor: this.#hash(record.accessor),
        displayName: record.displayName,
        policies: record.policies,
        namespace: caller.namespace.path,
      })}`;
      this.#callers.set(record, told);
    }
    return told;
  }
}

function errorMember(error: unknown): string {
  return error === undefined ? '' : `,"error":"${codeOf(error)}"`;
}

/** The path in which a hash stands for every field that must not be told. */
function pathOf({ operation, pathTemplate, payload }: AuditedRequest, hash: AuditHasher): string {
  const parts = templateParts(pathTemplate ?? operation.pathTemplate);
  let path = '';
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? '';
    path += at % 2 === 0 ? part : pathField(operation, part, payload[part], hash);
  }
  return path;
}

function pathField(operation: Operation, name: string, value: unknown, hash: AuditHasher): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '';
  const shown = String(value);
  const isTold = shown === '' || operation.request[name]?.sensitive !== true;
  return isTold ? shown : hash(shown);
}

/** Texts stand in a path and in a field both, and are hashed once. */
function remembering(hash: AuditHasher): AuditHasher {
  let known: Map<string, string> | undefined;
  return (value) => {
    if (typeof value !== 'string') return hash(value);
    const before = known?.get(value);
    if (before !== undefined) return before;
    const made = hash(value);
    known ??= new Map();
    known.set(value, made);
    return made;
  };
}

function codeOf(error: unknown): string {
  return error instanceof StrongroomError ? error.code : 'node.internal';
}
