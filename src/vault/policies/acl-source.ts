import type { NamespaceRef } from '../namespaces/namespace-record.ts';
import { decodeRecord, SYSTEM_MOUNT, systemKind } from '../places.ts';
import { Acl } from '../policy/acl.ts';
import { ROOT_POLICY_NAME } from '../policy/default-policies.ts';
import type { PolicyRule } from '../policy/policy-rule.ts';
import type { RecordCache, RecordKind } from '../record-cache.ts';
import type { PolicyRecord } from './policy-record.ts';

/** Sets of policies kept ready. Many tokens share a few sets. */
const ACLS_MAX = 4096;

/** Makes the rules of a token's policies ready for lookup, and remembers them by the set's names. */
export class AclSource {
  readonly #records: RecordCache;
  readonly #acls = new Map<string, Acl>();
  #generation = -1;

  constructor(records: RecordCache) {
    this.#records = records;
  }

  /** What the named policies of a namespace say now. A name without a policy says nothing. */
  aclOf(namespace: NamespaceRef, policies: readonly string[]): Acl {
    if (policies.includes(ROOT_POLICY_NAME)) return Acl.root;
    // Rebuilding is cheap: the policies that did not change are still in the cache.
    if (this.#generation !== this.#records.generation) this.#acls.clear();
    const id = `${namespace.path}:${policies.join(',')}`;
    let acl = this.#acls.get(id);
    if (acl === undefined) {
      acl = this.#build(namespace, policies);
      if (this.#acls.size >= ACLS_MAX) this.#acls.clear();
      this.#acls.set(id, acl);
    }
    this.#generation = this.#records.generation;
    return acl;
  }

  #build(namespace: NamespaceRef, policies: readonly string[]): Acl {
    const kind = policyKind(namespace);
    const found: (readonly PolicyRule[])[] = [];
    for (const name of policies) {
      const rules = this.#records.read(kind, name);
      if (rules !== undefined) found.push(rules);
    }
    return Acl.of(found);
  }
}

function policyKind(namespace: NamespaceRef): RecordKind<readonly PolicyRule[]> {
  return {
    prefix: `policy:${namespace.path}:`,
    // Tokens name policies that do not exist yet; only who may make tokens can invent names.
    rememberAbsent: true,
    startsGeneration: true,
    place: (name) => ({
      namespace: namespace.uuid,
      mount: SYSTEM_MOUNT,
      kind: systemKind.policy,
      path: [name],
    }),
    decode: (bytes) => decodeRecord<PolicyRecord>(bytes).rules,
  };
}
