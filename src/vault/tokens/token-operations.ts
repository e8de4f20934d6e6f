import { StrongroomError } from '../../lib/index.ts';
import {
  defineOperation,
  type Operation,
  type ReadContext,
  type WriteContext,
} from '../define-operation.ts';
import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import { relativePath } from '../namespaces/namespace-registry.ts';
import { systemArea, systemKind } from '../places.ts';
import { ROOT_POLICY_NAME } from '../policy/default-policies.ts';
import { pageOf } from '../revision-field.ts';
import type { StorageTransaction, StorageView } from '../storage/storage.ts';
import { type Authenticator, permissionDenied } from './authenticator.ts';
import type { Caller } from './caller.ts';
import { decideToken, renewedUntil } from './new-token.ts';
import * as messages from './token-messages.ts';
import { newToken } from './token-name.ts';
import { SPENT, type TokenRecord } from './token-record.ts';
import { addToken, badToken, placeOfAccessor, readToken, type TokenPlace } from './token-store.ts';
import { putToken } from './token-uses.ts';

export interface TokenParts {
  readonly authenticator: Authenticator;
  /** Wakes what works off revoked tokens. */
  readonly revoked: () => void;
}

/** `token.*` */
export function tokenOperations(parts: TokenParts): readonly Operation[] {
  return [
    createOperation(parts),
    ...lookupOperations(parts),
    ...renewOperations(parts),
    ...revokeOperations(parts),
    capabilitiesOperation(parts),
  ];
}

function createOperation(parts: TokenParts): Operation {
  return defineOperation({
    name: 'token.create',
    summary: 'Makes a token, a child of the calling one',
    pathTemplate: 'auth/token/create',
    capability: 'update',
    request: messages.createRequest,
    response: messages.authResponse,
    run: {
      kind: 'write',
      handle(context, request) {
        const { caller, namespace, nowMs, random } = context;
        const hasSudo = mayWithSudo(context, 'auth/token/create');
        const { record, warnings } = decideToken({
          request,
          caller,
          namespace,
          hasSudo,
          nowMs,
          random,
        });
        const token = newToken(random, namespace.uuid);
        const place = { namespace: namespace.uuid, hash: parts.authenticator.hash(token) };
        // Read, so that a parent that is revoked at this moment makes this conflict.
        if (record.parent !== undefined) requireAlive(context.storage, caller);
        addToken(context.storage, place, record);
        const absent = absentPolicies(context.storage, namespace, record.policies);
        return { ...described(record, nowMs), token, warnings: [...warnings, ...absent] };
      },
    },
  });
}

/** A name may get its policy later; until then it allows nothing, which nobody expects. */
function absentPolicies(
  storage: StorageView,
  namespace: NamespaceRef,
  names: readonly string[],
): readonly string[] {
  const area = systemArea(namespace.uuid, systemKind.policy);
  return names
    .filter((name) => name !== ROOT_POLICY_NAME && !storage.has(area, [name]))
    .map((name) => `Policy "${name}" does not exist`);
}

function lookupOperations(parts: TokenParts): readonly Operation[] {
  return [
    defineOperation({
      name: 'token.lookup',
      summary: 'What a token is and may',
      pathTemplate: 'auth/token/lookup',
      policyPath: byTokenOrAccessor('auth/token/lookup'),
      capability: 'update',
      request: messages.tokenRequest,
      response: messages.lookupResponse,
      run: {
        kind: 'read',
        handle(context, request) {
          const { place, record, caller } = find(parts, context, request);
          return {
            ...looked(context, place, record),
            namespace: caller.namespace.path,
            token: request.token,
          };
        },
      },
    }),
    defineOperation({
      name: 'token.lookupSelf',
      summary: 'What the calling token is and may',
      pathTemplate: 'auth/token/lookup-self',
      capability: 'read',
      request: messages.selfRequest,
      response: messages.lookupResponse,
      run: {
        kind: 'read',
        handle: (context) => ({
          ...looked(context, placeOf(context.caller), context.caller.record),
          namespace: context.caller.namespace.path,
        }),
      },
    }),
    defineOperation({
      name: 'token.listAccessors',
      summary: 'Accessors of all tokens of the namespace',
      pathTemplate: 'auth/token/accessors',
      capability: 'list',
      needsSudo: () => true,
      request: messages.listAccessorsRequest,
      response: messages.listAccessorsResponse,
      run: {
        kind: 'read',
        async handle({ storage, namespace }, request) {
          const area = systemArea(namespace.uuid, systemKind.accessor);
          const { names, more } = await storage.list(area, [], pageOf(request));
          return { accessors: names, more };
        },
      },
    }),
  ];
}

function renewOperations(parts: TokenParts): readonly Operation[] {
  const renew = (context: WriteContext, place: TokenPlace, incrementMs: number) => {
    const { storage, nowMs } = context;
    const record = readToken(storage, place);
    if (record === undefined || record.revoked !== undefined) throw badToken();
    const renewed = {
      ...record,
      expiresAtMs: renewedUntil(record, incrementMs, nowMs),
      lastRenewedAtMs: nowMs,
    };
    putToken(storage, place.namespace, place.hash, renewed);
    return described(renewed, nowMs);
  };
  return [
    defineOperation({
      name: 'token.renew',
      summary: 'Lets a token live longer',
      pathTemplate: 'auth/token/renew',
      policyPath: byTokenOrAccessor('auth/token/renew'),
      capability: 'update',
      request: messages.renewRequest,
      response: messages.authResponse,
      run: {
        kind: 'write',
        handle: (context, request) =>
          renew(context, find(parts, context, request).place, request.incrementMs),
      },
    }),
    defineOperation({
      name: 'token.renewSelf',
      summary: 'Lets the calling token live longer',
      pathTemplate: 'auth/token/renew-self',
      capability: 'update',
      request: messages.renewSelfRequest,
      response: messages.authResponse,
      run: {
        kind: 'write',
        handle: (context, request) => renew(context, placeOf(context.caller), request.incrementMs),
      },
    }),
  ];
}

function revokeOperations(parts: TokenParts): readonly Operation[] {
  const revoke = (
    context: WriteContext,
    place: TokenPlace,
    how: NonNullable<TokenRecord['revoked']>,
  ) => {
    const record = readToken(context.storage, place);
    if (record === undefined) throw badToken();
    // From this record on, the token and all below it are refused; the records go afterwards.
    putToken(context.storage, place.namespace, place.hash, { ...record, revoked: how });
    context.afterCommit(parts.revoked);
    return {};
  };
  const named = (
    name: string,
    path: string,
    how: NonNullable<TokenRecord['revoked']>,
    sudo: boolean,
  ) =>
    defineOperation({
      name,
      summary:
        how === 'with-children'
          ? 'Ends a token and all its children'
          : 'Ends a token; its children become orphans',
      pathTemplate: path,
      policyPath: byTokenOrAccessor(path),
      capability: 'update',
      needsSudo: () => sudo,
      request: messages.tokenRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context, request) => revoke(context, find(parts, context, request).place, how),
      },
    });
  return [
    named('token.revoke', 'auth/token/revoke', 'with-children', false),
    named('token.revokeOrphan', 'auth/token/revoke-orphan', 'leaving-orphans', true),
    defineOperation({
      name: 'token.revokeSelf',
      summary: 'Ends the calling token and all its children',
      pathTemplate: 'auth/token/revoke-self',
      capability: 'update',
      request: messages.selfRequest,
      response: messages.changeResponse,
      run: {
        kind: 'write',
        handle: (context) => revoke(context, placeOf(context.caller), 'with-children'),
      },
    }),
  ];
}

function capabilitiesOperation(parts: TokenParts): Operation {
  return defineOperation({
    name: 'token.capabilities',
    summary: 'What a token may do at each path',
    pathTemplate: 'sys/capabilities',
    policyPath: ({ token, accessor }) =>
      token === '' && accessor === '' ? 'sys/capabilities-self' : 'sys/capabilities',
    capability: 'update',
    request: messages.capabilitiesRequest,
    response: messages.capabilitiesResponse,
    run: {
      kind: 'read',
      handle(context, request) {
        const isSelf = request.token === '' && request.accessor === '';
        const about = isSelf ? context.caller : find(parts, context, request).caller;
        const below = relativePath(about.namespace, context.namespace);
        return {
          paths: request.paths.map((path) => {
            const full = below === undefined || below === '' ? path : `${below}/${path}`;
            const capabilities = below === undefined ? ['deny'] : about.acl.capabilities(full);
            return { path, capabilities };
          }),
        };
      },
    },
  });
}

/** Who may name a token only by its accessor has a path of its own, as in Vault. */
function byTokenOrAccessor(path: string) {
  return ({ token }: { readonly token: string }) => (token === '' ? `${path}-accessor` : path);
}

/** The token that a request names, which must be of this namespace or one below it. */
function find(
  parts: TokenParts,
  context: ReadContext | WriteContext,
  request: { readonly token: string; readonly accessor: string },
): { readonly place: TokenPlace; readonly record: TokenRecord; readonly caller: Caller } {
  const { namespace, nowMs, storage } = context;
  if ((request.token === '') === (request.accessor === '')) {
    throw new StrongroomError(
      'request.invalid',
      'Cannot tell which token is meant: name it by "token" or by "accessor", not both',
    );
  }
  const caller =
    request.token === ''
      ? parts.authenticator.findByHash(
          placeOfAccessor(storage, namespace, request.accessor).hash,
          namespace,
          nowMs,
        )
      : parts.authenticator.find(request.token, nowMs);
  if (caller === undefined || relativePath(namespace, caller.namespace) === undefined)
    throw badToken();
  return { place: placeOf(caller), record: caller.record, caller };
}

function placeOf(caller: Caller): TokenPlace {
  return { namespace: caller.namespace.uuid, hash: caller.hash };
}

function requireAlive(storage: StorageView | StorageTransaction, caller: Caller): void {
  const record = readToken(storage, placeOf(caller));
  if (record === undefined || record.revoked !== undefined) throw permissionDenied();
}

function mayWithSudo(context: WriteContext, path: string): boolean {
  const { caller, namespace } = context;
  if (caller.acl.isRoot) return true;
  const below = relativePath(caller.namespace, namespace);
  const full = below === undefined || below === '' ? path : `${below}/${path}`;
  return caller.acl.allows({
    path: full,
    capability: 'update',
    sudo: true,
    parameters: () => ({}),
  });
}

function described(record: TokenRecord, nowMs: number) {
  return {
    accessor: record.accessor,
    policies: record.policies,
    ttlMs: record.expiresAtMs === 0 ? 0 : Math.max(0, record.expiresAtMs - nowMs),
    renewable: record.renewable,
    orphan: record.parent === undefined,
    numUses: record.usesLeft === SPENT ? 0 : record.usesLeft,
    meta: record.meta,
  };
}

function looked(context: ReadContext, place: TokenPlace, seen: TokenRecord) {
  // The record as of the view, so that uses and renewals are those of the revision answered.
  const record = readToken(context.storage, place) ?? seen;
  return {
    ...described(record, context.nowMs),
    path: record.path,
    displayName: record.displayName,
    createdAtMs: record.createdAtMs,
    expiresAtMs: record.expiresAtMs,
    creationTtlMs: record.creationTtlMs,
    explicitMaxTtlMs: record.explicitMaxTtlMs,
    periodMs: record.periodMs,
    lastRenewedAtMs: record.lastRenewedAtMs,
    namespace: context.namespace.path,
  };
}
