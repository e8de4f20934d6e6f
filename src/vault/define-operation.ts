import type { Cancellation, Random } from '../lib/index.ts';
import { invariant, StrongroomError } from '../lib/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { AnswerOf, MessageOf } from './message.ts';
import type { MountRef } from './mounts/mount-record.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import type { Capability, MessageSpec, OperationContext, OperationFace } from './operation.ts';
import type { StorageTransaction, StorageView } from './storage/storage.ts';
import type { Caller } from './tokens/caller.ts';

type Plain = Readonly<Record<string, unknown>>;

/** What every handler knows of its request. */
export interface CallContext {
  readonly log: Logger;
  readonly signal: Cancellation;
  /** Wall time, read once a request. */
  readonly nowMs: number;
  /** The token as it was sent, for operations that work before there is anything to check it with. */
  readonly token: string | undefined;
  readonly remoteAddress: string;
}

interface AuthorisedContext<Storage extends StorageView> extends OperationContext<Storage> {
  readonly namespace: NamespaceRef;
  readonly caller: Caller;
  readonly random: Random;
  /** The engine's own mount. @throws StrongroomError `mount.not-found` outside an engine. */
  readonly mount: MountRef;
}

export type ReadContext = AuthorisedContext<StorageView>;

export interface WriteContext extends AuthorisedContext<StorageTransaction> {
  /** Runs on this node once the write is committed, before the answer: to wake what works it off. */
  afterCommit(task: () => void): void;
}

/** For operations that are more than one transaction. They run on the leader. */
export interface ProcedureContext extends Omit<AuthorisedContext<StorageView>, 'storage'> {
  /**
   * One transaction, run again on conflict. Gives the revision that it made. With `answer` it is
   * the one that counts: a retry of the request gets that answer and does not run again.
   */
  transact<T>(
    run: (storage: StorageTransaction) => T | Promise<T>,
    options?: { readonly answer: (result: T) => Plain },
  ): Promise<{ readonly result: T; readonly revision: number }>;
}

type Answer<Spec extends MessageSpec> = AnswerOf<Spec> | Promise<AnswerOf<Spec>>;

/**
 * How an operation runs. Methods, not arrow properties, so that operations with different messages
 * fit one table.
 */
export type OperationRun<Request extends MessageSpec, Response extends MessageSpec> =
  | { readonly kind: 'read'; handle(c: ReadContext, request: MessageOf<Request>): Answer<Response> }
  | {
      readonly kind: 'write';
      handle(c: WriteContext, request: MessageOf<Request>): Answer<Response>;
    }
  | {
      readonly kind: 'procedure';
      handle(c: ProcedureContext, request: MessageOf<Request>): Answer<Response>;
    }
  /** Answered by another part of the node. `at` says whether the leader must be asked. */
  | {
      readonly kind: 'port';
      readonly at: 'here' | 'leader';
      handle(
        c: CallContext,
        request: MessageOf<Request>,
      ): Answer<Response> | Promise<AnswerOf<Response> & { readonly revision?: number }>;
    };

/** `OperationRun` without the types of its messages: what the pipeline calls. */
export type BoundRun =
  | { readonly kind: 'read'; handle(c: ReadContext, request: Plain): Plain | Promise<Plain> }
  | { readonly kind: 'write'; handle(c: WriteContext, request: Plain): Plain | Promise<Plain> }
  | {
      readonly kind: 'procedure';
      handle(c: ProcedureContext, request: Plain): Plain | Promise<Plain>;
    }
  | {
      readonly kind: 'port';
      readonly at: 'here' | 'leader';
      handle(c: CallContext, request: Plain): Plain | Promise<Plain>;
    };

export interface OperationOptions<Request extends MessageSpec, Response extends MessageSpec> {
  readonly name: string;
  readonly summary: string;
  readonly pathTemplate: string;
  readonly capability: OperationFace['capability'];
  readonly access?: 'token' | 'anonymous';
  /** Demands `sudo` beside the capability: always, or for some requests. */
  needsSudo?(request: MessageOf<Request>): boolean;
  /** Where the path depends on more than the template can say. */
  policyPath?(request: MessageOf<Request>): string;
  /** What a policy's parameter rules look at; the request's own fields unless given. */
  parameters?(request: MessageOf<Request>): Readonly<Record<string, unknown>>;
  /** For `create-or-update`: whether what is to be written is there. */
  exists?(storage: StorageView, mount: MountRef, request: MessageOf<Request>): boolean;
  /** Refuses in any namespace but the root. */
  readonly rootNamespaceOnly?: boolean;
  /** Type of the engine whose mount the request's `mount` field names. */
  readonly engine?: string;
  readonly request: Request;
  readonly response: Response;
  readonly run: OperationRun<Request, Response>;
}

/** A declared operation: its face, and how it is authorised and run. */
export interface Operation extends OperationFace {
  needsSudo(request: Readonly<Record<string, unknown>>): boolean;
  policyPath(request: Readonly<Record<string, unknown>>): string;
  parameters(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  exists(
    storage: StorageView,
    mount: MountRef,
    request: Readonly<Record<string, unknown>>,
  ): boolean;
  readonly rootNamespaceOnly: boolean;
  readonly engine: string | undefined;
  readonly run: BoundRun;
}

/** Declares one operation, once. The types of its handler follow from its messages. */
export function defineOperation<
  const Request extends MessageSpec,
  const Response extends MessageSpec,
>(options: OperationOptions<Request, Response>): Operation {
  const typed = (request: Plain) => request as MessageOf<Request>;
  const fromTemplate = compileTemplate(options.pathTemplate);
  return {
    name: options.name,
    summary: options.summary,
    pathTemplate: options.pathTemplate,
    capability: options.capability,
    access: options.access ?? 'token',
    effect: options.run.kind === 'read' || isReadingPort(options) ? 'read' : 'write',
    request: options.request,
    response: options.response,
    needsSudo: (request) => options.needsSudo?.(typed(request)) ?? false,
    policyPath: (request) => options.policyPath?.(typed(request)) ?? fromTemplate(request),
    parameters: (request) =>
      options.parameters?.(typed(request)) ?? givenFields(options.request, request),
    exists: (storage, mount, request) => options.exists?.(storage, mount, typed(request)) ?? true,
    rootNamespaceOnly: options.rootNamespaceOnly ?? false,
    engine: options.engine,
    // The cast forgets the messages' types: the pipeline checks each request against the very spec
    // that they were made from.
    run: options.run as unknown as BoundRun,
  };
}

function isReadingPort(options: {
  readonly capability: OperationFace['capability'];
  readonly run: { readonly kind: string };
}): boolean {
  return (
    options.run.kind === 'port' && (options.capability === 'read' || options.capability === 'list')
  );
}

const splitTemplates = new Map<string, readonly string[]>();

/** "{mount}/data/{path}" in parts: literals and names of fields alternate. Templates are few. */
export function templateParts(template: string): readonly string[] {
  let parts = splitTemplates.get(template);
  if (parts === undefined) {
    parts = template.split(/\{(\w+)\}/);
    splitTemplates.set(template, parts);
  }
  return parts;
}

/** A template into a function of the request. */
function compileTemplate(template: string): (request: Readonly<Record<string, unknown>>) => string {
  const parts = templateParts(template);
  return (request) => {
    let path = '';
    for (let at = 0; at < parts.length; at++) {
      const part = parts[at] ?? '';
      path += at % 2 === 0 ? part : text(request[part]);
    }
    return path;
  };
}

/** A checked field in a path; only strings and numbers stand in templates. */
function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/**
 * The fields that were given, under their protobuf names, as policies write them. An optional field
 * may be given with its default value: a rule that requires or denies it has to see that.
 */
function givenFields(
  spec: MessageSpec,
  request: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    if (name === 'mount' || name === 'path') continue;
    if (spec[name]?.optional === true ? value === undefined : isDefault(value)) continue;
    given[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return given;
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** The table of operations. @throws InvariantError for two of one name: a bug. */
export function operationTable(operations: readonly Operation[]): ReadonlyMap<string, Operation> {
  const table = new Map<string, Operation>();
  for (const operation of operations) {
    invariant(!table.has(operation.name), 'Two operations share a name', { name: operation.name });
    table.set(operation.name, operation);
  }
  return table;
}

/** The capability that a request needs, given whether its target exists. */
export function neededCapability(operation: Operation, exists: boolean): Capability {
  switch (operation.capability) {
    case 'create-or-update':
      return exists ? 'update' : 'create';
    case 'none':
      throw new StrongroomError('node.internal', `${operation.name} needs no capability`);
    default:
      return operation.capability;
  }
}
