import type { FieldSpec, MessageSpec } from './operation.ts';

/**
 * What stands for a sensitive value in the audit log: a keyed hash, equal for equal values on all
 * nodes, from which nothing can be guessed without the key.
 */
export type AuditHasher = (value: string | Uint8Array) => string;

/**
 * A message as the audit log may hold it. Names of fields and keys of maps stay readable, because a
 * log of hashed names tells an auditor nothing; values of sensitive fields are hashed one by one.
 * Fields at their default say nothing and are left out; what the spec does not know is left out too, and bytes are always hashed: unknown is treated as secret.
 */
export function hashSensitive(
  spec: MessageSpec,
  payload: Readonly<Record<string, unknown>>,
  hash: AuditHasher,
): Readonly<Record<string, unknown>> {
  const told: Record<string, unknown> = {};
  for (const name in payload) {
    const value = payload[name];
    if (value === undefined || value === null || !Object.hasOwn(spec, name)) continue;
    const field = spec[name];
    // An optional field means something at its default too, such as a check-and-set of 0.
    if (field === undefined || (field.optional !== true && isDefault(value))) continue;
    told[name] = field.sensitive === true ? hashAll(value, hash) : tell(field.type, value, hash);
  }
  return told;
}

function isDefault(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  return (value instanceof Uint8Array || Array.isArray(value)) && value.length === 0;
}

function tell(type: FieldSpec['type'], value: unknown, hash: AuditHasher): unknown {
  if (typeof type === 'object') {
    if ('list' in type) {
      if (Array.isArray(value)) return value.map((item: unknown) => tell(type.list, item, hash));
    } else if (isRecord(value)) return hashSensitive(type.message, value, hash);
    return hashAll(value, hash);
  }
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : hashAll(value, hash);
    case 'bool':
      return typeof value === 'boolean' ? value : hashAll(value, hash);
    case 'uint32':
    case 'uint64':
      return typeof value === 'number' ? value : hashAll(value, hash);
    case 'map':
      // A map's values are strings; anything else in it was not declared.
      return isRecord(value)
        ? mapValues(value, (one) => (typeof one === 'string' ? one : hashAll(one, hash)))
        : hashAll(value, hash);
    case 'bytes':
      return hashAll(value, hash);
  }
}

/** Keeps the shape, hashes every leaf. */
function hashAll(value: unknown, hash: AuditHasher): unknown {
  if (typeof value === 'string' || value instanceof Uint8Array) return hash(value);
  if (Array.isArray(value)) return value.map((one: unknown) => hashAll(one, hash));
  if (isRecord(value)) return mapValues(value, (one) => hashAll(one, hash));
  return hash(String(value));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

function mapValues(
  record: Readonly<Record<string, unknown>>,
  change: (value: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(record).map(([name, one]) => [name, change(one)]));
}
