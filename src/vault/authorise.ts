import { neededCapability, type Operation } from './define-operation.ts';
import type { NamespaceRef } from './namespaces/namespace-record.ts';
import { relativePath } from './namespaces/namespace-registry.ts';
import { permissionDenied } from './tokens/authenticator.ts';
import type { Caller } from './tokens/caller.ts';

type Plain = Readonly<Record<string, unknown>>;

/** Answers whether what a request would write exists; asked only when the answer matters. */
export type Existence = () => boolean;

/**
 * The path as the caller's policies see it: policies of a parent namespace name paths with the
 * child's in front.
 */
export function pathForPolicies(
  caller: Caller,
  namespace: NamespaceRef,
  policyPath: string,
): string {
  const below = relativePath(caller.namespace, namespace);
  if (below === undefined) throw permissionDenied();
  return below === '' ? policyPath : `${below}/${policyPath}`;
}

/**
 * Whether the answer hangs on `exists`: the caller may do one of create and update but not both.
 * @throws StrongroomError `auth.permission-denied`
 */
export function authorise(options: {
  readonly operation: Operation;
  readonly caller: Caller;
  readonly namespace: NamespaceRef;
  readonly policyPath: string;
  readonly request: Plain;
  readonly exists: Existence;
}): { readonly dependsOnExistence: boolean } {
  const { operation, caller, request } = options;
  if (operation.capability === 'none' || caller.acl.isRoot) return { dependsOnExistence: false };
  const path = pathForPolicies(caller, options.namespace, options.policyPath);
  const sudo = operation.needsSudo(request);
  const parameters = () => operation.parameters(request);
  const may = (exists: boolean) =>
    caller.acl.allows({
      path,
      capability: neededCapability(operation, exists),
      sudo,
      parameters,
    });
  if (operation.capability !== 'create-or-update') {
    if (!may(true)) throw permissionDenied();
    return { dependsOnExistence: false };
  }
  const mayUpdate = may(true);
  const mayCreate = may(false);
  if (mayUpdate && mayCreate) return { dependsOnExistence: false };
  if (!mayUpdate && !mayCreate) throw permissionDenied();
  if (options.exists() ? !mayUpdate : !mayCreate) throw permissionDenied();
  return { dependsOnExistence: true };
}
