import { StrongroomError } from '../lib/index.ts';
import type { AuditRecord, AuditSink } from './audit.ts';
import { type AuditHasher, hashSensitive } from './audit-hash.ts';
import type { Operation } from './define-operation.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { MessageSpec } from './operation.ts';
import type { Caller } from './tokens/caller.ts';

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
  readonly #told = new WeakMap<AuditedRequest, Plain>();

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
    await this.#append({ type: 'request', fields: this.#fields(about, error) });
  }

  /** The record of an answer that is about to go out. */
  async response(about: AuditedRequest, answer: Plain | undefined, error?: unknown): Promise<void> {
    if (this.#sinks.length === 0) return;
    const response =
      answer === undefined
        ? {}
        : { response: messageOf(about.operation.response, answer, this.#hash) };
    await this.#append({
      type: 'response',
      fields: { ...this.#fields(about, error), ...response },
    });
  }

  /** One sink that took it is enough. */
  async #append(record: AuditRecord): Promise<void> {
    const [only] = this.#sinks;
    if (only !== undefined && this.#sinks.length === 1) return only.append(record);
    const outcomes = await Promise.allSettled(this.#sinks.map((sink) => sink.append(record)));
    const failed = outcomes.filter((one) => one.status === 'rejected');
    if (failed.length === outcomes.length) throw failed[0]?.reason;
  }

  #fields(about: AuditedRequest, error: unknown): Plain {
    let told = this.#told.get(about);
    if (told === undefined) {
      told = this.#tell(about);
      this.#told.set(about, told);
    }
    return error === undefined ? told : { ...told, error: codeOf(error) };
  }

  #tell(about: AuditedRequest): Plain {
    const { caller } = about;
    const hash = remembering(this.#hash);
    return {
      time: new Date(about.nowMs).toISOString(),
      correlationId: about.correlationId,
      operation: about.operation.name,
      namespace: about.namespace.path,
      path: pathOf(about, hash),
      remoteAddress: about.remoteAddress,
      ...(caller === undefined
        ? {}
        : {
            auth: {
              accessor: hash(caller.record.accessor),
              displayName: caller.record.displayName,
              policies: caller.record.policies,
              namespace: caller.namespace.path,
            },
          }),
      request: messageOf(about.operation.request, about.payload, hash),
    };
  }
}

/** The path in which a hash stands for every field that must not be told. */
function pathOf({ operation, pathTemplate, payload }: AuditedRequest, hash: AuditHasher): string {
  return (pathTemplate ?? operation.pathTemplate).replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = payload[name];
    const shown = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
    const isTold = shown === '' || operation.request[name]?.sensitive !== true;
    return isTold ? shown : hash(shown);
  });
}

/** Fields at their default say nothing, and every line is written for every request. */
function messageOf(spec: MessageSpec, message: Plain, hash: AuditHasher): Plain {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message)) {
    if (value !== undefined && !isEmpty(value)) given[name] = value;
  }
  return hashSensitive(spec, given, hash);
}

/** Texts stand in a path and in a field both, and are hashed once. */
function remembering(hash: AuditHasher): AuditHasher {
  const known = new Map<string, string>();
  return (value) => {
    if (typeof value !== 'string') return hash(value);
    const before = known.get(value);
    if (before !== undefined) return before;
    const made = hash(value);
    known.set(value, made);
    return made;
  };
}

function isEmpty(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  return value instanceof Uint8Array || Array.isArray(value) ? value.length === 0 : false;
}

function codeOf(error: unknown): string {
  return error instanceof StrongroomError ? error.code : 'node.internal';
}
