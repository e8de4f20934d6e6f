import { hex, type Random, StrongroomError } from '../../lib/index.ts';
import type { MessageOf } from '../message.ts';
import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import { checkName } from '../paths.ts';
import { DEFAULT_POLICY_NAME, ROOT_POLICY_NAME } from '../policy/default-policies.ts';
import type { Caller } from './caller.ts';
import type { createRequest } from './token-messages.ts';
import { newAccessor } from './token-name.ts';
import {
  TOKEN_DEPTH_MAX,
  TOKEN_TTL_DEFAULT_MS,
  TOKEN_TTL_MAX_MS,
  type TokenRecord,
} from './token-record.ts';

export interface NewToken {
  readonly record: TokenRecord;
  readonly warnings: readonly string[];
}

/**
 * What a caller's request for a token comes to.
 * @throws StrongroomError `request.invalid`, `auth.permission-denied`
 */
export function decideToken(options: {
  readonly request: MessageOf<typeof createRequest>;
  readonly caller: Caller;
  readonly namespace: NamespaceRef;
  /** The caller may do what needs `sudo`. */
  readonly hasSudo: boolean;
  readonly nowMs: number;
  readonly random: Random;
}): NewToken {
  const { request, caller, nowMs } = options;
  const parent = caller.record;
  if (parent.usesLeft !== 0) {
    throw refused('a token with a limited number of uses can have no children');
  }
  if ((request.noParent || request.periodMs > 0) && !options.hasSudo) {
    throw refused('noParent and periodMs need the capability sudo on auth/token/create');
  }
  const depth = request.noParent ? 0 : parent.depth + 1;
  if (depth > TOKEN_DEPTH_MAX) throw refused(`it would have over ${TOKEN_DEPTH_MAX} ancestors`);
  const policies = policiesOf(options);
  const warnings: string[] = [];
  const isRoot = policies.includes(ROOT_POLICY_NAME);
  const ttlMs = ttlOf(request, isRoot, warnings);
  if (isRoot && ttlMs === 0 && parent.expiresAtMs !== 0) {
    throw refused('a root token that ends cannot make one that never does: give ttlMs');
  }
  return {
    warnings,
    record: {
      accessor: newAccessor(options.random),
      ...(request.noParent
        ? {}
        : { parent: { namespace: hex(caller.namespace.uuid), hash: caller.hash } }),
      depth,
      policies,
      path: 'auth/token/create',
      meta: request.meta,
      displayName: request.displayName === '' ? 'token' : `token-${request.displayName}`,
      usesLeft: request.numUses,
      createdAtMs: nowMs,
      expiresAtMs: ttlMs === 0 ? 0 : nowMs + ttlMs,
      creationTtlMs: ttlMs,
      explicitMaxTtlMs: request.explicitMaxTtlMs,
      periodMs: request.periodMs,
      renewable: ttlMs !== 0 && (request.renewable ?? true),
      lastRenewedAtMs: 0,
    },
  };
}

function policiesOf(options: {
  readonly request: MessageOf<typeof createRequest>;
  readonly caller: Caller;
  readonly namespace: NamespaceRef;
  readonly hasSudo: boolean;
}): readonly string[] {
  const { request, caller } = options;
  const own = caller.record.policies;
  const asked = request.policies.map((name) => checkName(name, 'policies').toLowerCase());
  const wanted = new Set(asked.length === 0 ? own : asked);
  if (wanted.has(ROOT_POLICY_NAME) && !caller.acl.isRoot) {
    throw refused('only a root token makes a root token');
  }
  if (wanted.has(ROOT_POLICY_NAME)) {
    if (wanted.size > 1) throw refused('a root token has no other policies');
    if (options.namespace.path !== '') throw refused('a root token belongs to the root namespace');
    return [ROOT_POLICY_NAME];
  }
  if (!request.noDefaultPolicy) wanted.add(DEFAULT_POLICY_NAME);
  // Not even from the parent; but what is asked for by name is given.
  else if (!asked.includes(DEFAULT_POLICY_NAME)) wanted.delete(DEFAULT_POLICY_NAME);
  // Policies of another namespace are other policies, though they have the same name.
  const isAbroad = caller.namespace.path !== options.namespace.path;
  if (!caller.acl.isRoot && !options.hasSudo) {
    const extra = [...wanted].filter((name) => name !== DEFAULT_POLICY_NAME && !own.includes(name));
    if (isAbroad || extra.length > 0) {
      throw refused("without sudo its policies must be a subset of its parent's, in one namespace");
    }
  }
  return [...wanted].sort();
}

function ttlOf(
  request: MessageOf<typeof createRequest>,
  isRoot: boolean,
  warnings: string[],
): number {
  if (isRoot && request.ttlMs === 0 && request.periodMs === 0 && request.explicitMaxTtlMs === 0) {
    return 0;
  }
  const wanted = request.periodMs || request.ttlMs || TOKEN_TTL_DEFAULT_MS;
  const bound = Math.min(
    request.periodMs > 0 ? Number.MAX_SAFE_INTEGER : TOKEN_TTL_MAX_MS,
    request.explicitMaxTtlMs || Number.MAX_SAFE_INTEGER,
  );
  if (wanted <= bound) return wanted;
  if (request.ttlMs > 0)
    warnings.push(
      `The TTL was cut from ${inSeconds(wanted)} to the most allowed, ${inSeconds(bound)}`,
    );
  return bound;
}

function inSeconds(ms: number): string {
  return `${ms / 1000} s`;
}

/** When a renewal at `nowMs` makes the token end. @throws StrongroomError `token.not-renewable` */
export function renewedUntil(record: TokenRecord, incrementMs: number, nowMs: number): number {
  if (!record.renewable || record.expiresAtMs === 0) {
    throw new StrongroomError('token.not-renewable', 'Cannot renew the token: it is not renewable');
  }
  const wanted = record.periodMs || incrementMs || record.creationTtlMs;
  const bounds = [nowMs + wanted];
  if (record.periodMs === 0) bounds.push(record.createdAtMs + TOKEN_TTL_MAX_MS);
  if (record.explicitMaxTtlMs > 0) bounds.push(record.createdAtMs + record.explicitMaxTtlMs);
  const until = Math.min(...bounds);
  if (until > nowMs) return until;
  throw new StrongroomError(
    'token.not-renewable',
    'Cannot renew the token: it has reached the longest life it may have',
  );
}

function refused(why: string): StrongroomError {
  return new StrongroomError('request.invalid', `Cannot make the token: ${why}`);
}
