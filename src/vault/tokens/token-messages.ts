import type { MessageSpec } from '../operation.ts';
import { pageFields, revision } from '../revision-field.ts';

const token = {
  type: 'string',
  sensitive: true,
  max: 256,
  about: 'The token; or give its accessor',
} as const;
const accessor = { type: 'string', max: 64, about: "The token's accessor" } as const;
const meta = { type: 'map', max: 64, about: 'Free text, told in audit records' } as const;
const policies = { type: { list: 'string' }, max: 64, about: 'Names of policies' } as const;

export const createRequest = {
  policies: { ...policies, about: "Names of policies; none: the parent's" },
  ttlMs: { type: 'uint64', about: '0: the default' },
  explicitMaxTtlMs: {
    type: 'uint64',
    about: 'Never lives longer, however renewed; 0: no such bound',
  },
  periodMs: { type: 'uint64', about: 'Each renewal gives so much; needs sudo' },
  numUses: { type: 'uint32', max: 1_000_000, about: '0: any number' },
  renewable: { type: 'bool', optional: true, about: 'Absent: renewable' },
  noParent: { type: 'bool', about: 'Outlives its maker; needs sudo' },
  noDefaultPolicy: { type: 'bool', about: 'Without the policy "default"' },
  displayName: { type: 'string', max: 128, about: 'For people' },
  meta,
} as const satisfies MessageSpec;

export const authResponse = {
  revision,
  token: { ...token, about: 'Shown this once' },
  accessor: { ...accessor, sensitive: true },
  policies,
  ttlMs: { type: 'uint64', about: 'Time left; 0: for ever' },
  renewable: { type: 'bool', about: 'Whether renew works' },
  orphan: { type: 'bool', about: 'Has no parent' },
  numUses: { type: 'uint32', about: 'Uses left; 0: any number' },
  meta,
  warnings: { type: { list: 'string' }, about: 'What was given otherwise than asked' },
} as const satisfies MessageSpec;

export const tokenRequest = {
  token,
  accessor: { ...accessor, sensitive: true },
} as const satisfies MessageSpec;

export const selfRequest = {} as const satisfies MessageSpec;

export const renewRequest = {
  ...tokenRequest,
  incrementMs: { type: 'uint64', about: "0: the token's own TTL" },
} as const satisfies MessageSpec;

export const renewSelfRequest = {
  incrementMs: renewRequest.incrementMs,
} as const satisfies MessageSpec;

export const lookupResponse = {
  revision,
  accessor: { ...accessor, sensitive: true },
  policies,
  path: { type: 'string', about: 'Where it was made' },
  meta,
  displayName: { type: 'string', about: 'For people' },
  numUses: { type: 'uint32', about: 'Uses left; 0: any number' },
  orphan: { type: 'bool', about: 'Has no parent' },
  createdAtMs: { type: 'uint64', about: 'When it was made' },
  expiresAtMs: { type: 'uint64', about: '0: never' },
  ttlMs: { type: 'uint64', about: 'Time left' },
  creationTtlMs: { type: 'uint64', about: 'TTL it was made with' },
  explicitMaxTtlMs: { type: 'uint64', about: 'Bound of its life' },
  periodMs: { type: 'uint64', about: 'What a renewal gives' },
  renewable: { type: 'bool', about: 'Whether renew works' },
  lastRenewedAtMs: { type: 'uint64', about: '0: never' },
  namespace: { type: 'string', about: 'Where it belongs' },
  token: { ...token, about: 'Empty when looked up by accessor' },
} as const satisfies MessageSpec;

export const changeResponse = { revision } as const satisfies MessageSpec;

export const listAccessorsRequest = pageFields satisfies MessageSpec;

export const listAccessorsResponse = {
  revision,
  accessors: { type: { list: 'string' }, sensitive: true, about: 'Sorted' },
  more: { type: 'bool', about: 'There are more after the last' },
} as const satisfies MessageSpec;

export const capabilitiesRequest = {
  paths: {
    type: { list: 'string' },
    sensitive: true,
    max: 256,
    about: 'Paths as policies write them',
  },
  token: { ...token, about: 'Empty: the calling token' },
  accessor: { ...accessor, sensitive: true },
} as const satisfies MessageSpec;

const pathCapabilities = {
  path: { type: 'string', sensitive: true, about: 'As asked' },
  capabilities: { type: { list: 'string' }, about: '"deny" alone when there are none' },
} as const satisfies MessageSpec;

export const capabilitiesResponse = {
  revision,
  paths: { type: { list: { message: pathCapabilities } }, about: 'In the order asked' },
} as const satisfies MessageSpec;
