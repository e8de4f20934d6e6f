import { StrongroomError } from '../../lib/index.ts';
import { defineOperation, type Operation } from '../define-operation.ts';
import type { MessageSpec } from '../operation.ts';
import { checkName } from '../paths.ts';
import { decodeRecord, encodeRecord, systemArea, systemKind } from '../places.ts';
import { DEFAULT_POLICY_NAME, ROOT_POLICY_NAME } from '../policy/default-policies.ts';
import { POLICY_BYTES_MAX, parsePolicy } from '../policy/parse-policy.ts';
import { pageFields, pageOf, revision } from '../revision-field.ts';
import type { PolicyRecord } from './policy-record.ts';

const name = {
  type: 'string',
  max: 128,
  about: 'Name of the policy; case does not matter',
} as const;
const policy = {
  type: 'string',
  // Policies name paths of secrets.
  sensitive: true,
  max: POLICY_BYTES_MAX,
  about: 'HCL or JSON',
} as const;
const putRequest = { name, policy } as const satisfies MessageSpec;
const request = { name } as const satisfies MessageSpec;
const change = { revision } as const satisfies MessageSpec;
const getResponse = { revision, name, policy } as const satisfies MessageSpec;
const listRequest = pageFields satisfies MessageSpec;
const listResponse = {
  revision,
  names: { type: { list: 'string' }, about: 'Sorted' },
  more: { type: 'bool', about: 'There are more after the last' },
} as const satisfies MessageSpec;

const PATH = 'sys/policies/acl/{name}';

/** `policy.*`: each namespace has policies of its own. */
export function policyOperations(): readonly Operation[] {
  return [
    defineOperation({
      name: 'policy.put',
      summary: 'Writes a policy, parsed and checked first',
      pathTemplate: PATH,
      policyPath,
      capability: 'update',
      request: putRequest,
      response: change,
      run: {
        kind: 'write',
        async handle({ storage, namespace }, asked) {
          const bare = policyName(asked.name);
          if (bare === ROOT_POLICY_NAME) throw isProtected('written');
          const record: PolicyRecord = {
            text: asked.policy,
            rules: await parsePolicy(asked.policy),
          };
          storage.put(systemArea(namespace.uuid, systemKind.policy), [bare], encodeRecord(record));
          return {};
        },
      },
    }),
    defineOperation({
      name: 'policy.get',
      summary: 'A policy as it was written',
      pathTemplate: PATH,
      policyPath,
      capability: 'read',
      request,
      response: getResponse,
      run: {
        kind: 'read',
        handle({ storage, namespace }, asked) {
          const bare = policyName(asked.name);
          if (bare === ROOT_POLICY_NAME) throw isProtected('read: it allows everything');
          const bytes = storage.get(systemArea(namespace.uuid, systemKind.policy), [bare]);
          if (bytes === undefined) throw policyNotFound();
          return { name: bare, policy: decodeRecord<PolicyRecord>(bytes).text };
        },
      },
    }),
    defineOperation({
      name: 'policy.delete',
      summary: 'Deletes a policy; tokens that name it lose what it allowed',
      pathTemplate: PATH,
      policyPath,
      capability: 'delete',
      request,
      response: change,
      run: {
        kind: 'write',
        handle({ storage, namespace }, asked) {
          const bare = policyName(asked.name);
          if (bare === ROOT_POLICY_NAME || bare === DEFAULT_POLICY_NAME)
            throw isProtected('deleted');
          storage.delete(systemArea(namespace.uuid, systemKind.policy), [bare]);
          return {};
        },
      },
    }),
    defineOperation({
      name: 'policy.list',
      summary: 'Names of the policies',
      pathTemplate: 'sys/policies/acl',
      capability: 'list',
      request: listRequest,
      response: listResponse,
      run: {
        kind: 'read',
        async handle({ storage, namespace }, asked) {
          const area = systemArea(namespace.uuid, systemKind.policy);
          const page = pageOf(asked);
          const { names, more } = await storage.list(area, [], page);
          return withRoot(names, more, page);
        },
      },
    }),
  ];
}

/** Case does not matter, so it must not matter to the policy that decides either. */
function policyPath(asked: { readonly name: string }): string {
  return `sys/policies/acl/${asked.name.toLowerCase()}`;
}

function policyName(given: string): string {
  return checkName(given, 'name').toLowerCase();
}

function policyNotFound(): StrongroomError {
  return new StrongroomError(
    'policy.not-found',
    'Cannot find the policy: there is none of this name',
  );
}

function isProtected(what: string): StrongroomError {
  return new StrongroomError('policy.protected', `This policy is built in and cannot be ${what}`);
}

/** `root` is listed like any other, though it is nowhere stored. */
function withRoot(
  stored: readonly string[],
  more: boolean,
  page: { readonly after?: string; readonly limit: number },
): { readonly names: readonly string[]; readonly more: boolean } {
  const last = stored.at(-1);
  const isBefore = page.after !== undefined && page.after >= ROOT_POLICY_NAME;
  const isBehind = more && last !== undefined && last < ROOT_POLICY_NAME;
  if (isBefore || isBehind) return { names: stored, more };
  const names = [...stored, ROOT_POLICY_NAME].sort();
  return { names: names.slice(0, page.limit), more: more || names.length > page.limit };
}
