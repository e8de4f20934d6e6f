import { StrongroomError, unreachable } from '../lib/index.ts';
import type { FieldSpec, MessageSpec } from './operation.ts';

type FieldType = FieldSpec['type'];

type ValueOf<Type extends FieldType> = Type extends 'string'
  ? string
  : Type extends 'bytes'
    ? Uint8Array
    : Type extends 'uint32' | 'uint64'
      ? number
      : Type extends 'bool'
        ? boolean
        : Type extends 'map'
          ? Readonly<Record<string, string>>
          : Type extends { readonly list: infer Item extends FieldType }
            ? readonly ValueOf<Item>[]
            : Type extends { readonly message: infer Message extends MessageSpec }
              ? MessageOf<Message>
              : never;

type Present<Field extends FieldSpec> = Field extends { readonly optional: true } ? false : true;

/** A checked request: what was not given has its default, optional fields may be undefined. */
export type MessageOf<Spec extends MessageSpec> = {
  readonly [Name in keyof Spec]: Present<Spec[Name]> extends true
    ? ValueOf<Spec[Name]['type']>
    : ValueOf<Spec[Name]['type']> | undefined;
};

/** What a handler answers: fields left out have their default; the pipeline sets `revision`. */
export type AnswerOf<Spec extends MessageSpec> = {
  readonly [Name in Exclude<keyof Spec, 'revision'>]?: AnswerValue<Spec[Name]['type']> | undefined;
};

type AnswerValue<Type extends FieldType> = Type extends {
  readonly message: infer Message extends MessageSpec;
}
  ? AnswerOf<Message>
  : Type extends { readonly list: infer Item extends FieldType }
    ? readonly AnswerValue<Item>[]
    : ValueOf<Type>;

/** Bounds where a field names none of its own. */
export const STRING_BYTES_MAX = 4096;
export const BYTES_MAX = 1024 * 1024;
export const ITEMS_MAX = 256;

/**
 * Checks a request against its declaration and fills in defaults.
 * @throws StrongroomError `request.invalid` naming the field, `request.too-large` naming the bound.
 */
export function checkMessage<Spec extends MessageSpec>(
  spec: Spec,
  payload: Readonly<Record<string, unknown>>,
): MessageOf<Spec>;
export function checkMessage(
  spec: MessageSpec,
  payload: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return checkFields(spec, payload, '');
}

function checkFields(
  spec: MessageSpec,
  payload: Readonly<Record<string, unknown>>,
  within: string,
): Record<string, unknown> {
  for (const name in payload) {
    if (!Object.hasOwn(spec, name)) throw invalid(within + printable(name), 'is not a known field');
  }
  const checked: Record<string, unknown> = {};
  for (const name in spec) {
    const field = spec[name];
    if (field === undefined) continue;
    const given = payload[name];
    checked[name] =
      given === undefined || given === null
        ? absent(field)
        : checkValue(field.type, given, field.max, within + name);
  }
  return checked;
}

/** What a field holds that was not given. */
export function absent(field: FieldSpec): unknown {
  if (field.optional === true) return undefined;
  switch (field.type) {
    case 'string':
      return '';
    case 'bytes':
      return new Uint8Array(0);
    case 'uint32':
    case 'uint64':
      return 0;
    case 'bool':
      return false;
    case 'map':
      return {};
    default:
      return 'list' in field.type ? [] : undefined;
  }
}

function checkValue(
  type: FieldType,
  value: unknown,
  max: number | undefined,
  name: string,
): unknown {
  switch (type) {
    case 'string':
      return checkString(value, max ?? STRING_BYTES_MAX, name);
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw invalid(name, 'is not bytes');
      if (value.length > (max ?? BYTES_MAX)) throw tooLarge(name, max ?? BYTES_MAX, 'bytes');
      return value;
    case 'uint32':
    case 'uint64':
      return checkNumber(value, type === 'uint32' ? 0xffff_ffff : Number.MAX_SAFE_INTEGER, name);
    case 'bool':
      if (typeof value !== 'boolean') throw invalid(name, 'is not true or false');
      return value;
    case 'map':
      return checkMap(value, max ?? ITEMS_MAX, name);
    default:
      return checkComposite(type, value, max, name);
  }
}

function checkComposite(
  type: Exclude<FieldType, string>,
  value: unknown,
  max: number | undefined,
  name: string,
): unknown {
  if ('list' in type) {
    if (!Array.isArray(value)) throw invalid(name, 'is not a list');
    if (value.length > (max ?? ITEMS_MAX)) throw tooLarge(name, max ?? ITEMS_MAX, 'items');
    return value.map((item, at) => checkValue(type.list, item, undefined, `${name}[${at}]`));
  }
  if ('message' in type) {
    if (typeof value !== 'object' || value === null) throw invalid(name, 'is not a message');
    return checkFields(type.message, value as Record<string, unknown>, `${name}.`);
  }
  return unreachable(type);
}

function checkString(value: unknown, max: number, name: string): string {
  if (typeof value !== 'string') throw invalid(name, 'is not a string');
  // A UTF-16 unit is at least one byte of UTF-8 and at most three, so most need no counting.
  if (value.length > max || (value.length * 3 > max && Buffer.byteLength(value) > max)) {
    throw tooLarge(name, max, 'bytes');
  }
  if (value.includes('\0')) throw invalid(name, 'holds a NUL character');
  if (/\p{Surrogate}/u.test(value)) throw invalid(name, 'is not well-formed Unicode');
  return value;
}

function checkNumber(value: unknown, max: number, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw invalid(name, `is not an integer from 0 to ${max}`);
  }
  return value;
}

function checkMap(value: unknown, max: number, name: string): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(name, 'is not a map');
  }
  const entries = Object.entries(value);
  if (entries.length > max) throw tooLarge(name, max, 'entries');
  for (const [key, item] of entries) {
    checkString(key, STRING_BYTES_MAX, `a key of ${name}`);
    checkString(item, STRING_BYTES_MAX, `a value of ${name}`);
  }
  // Without a prototype, so that a key such as "__proto__" is a key like any other.
  const checked = Object.create(null) as Record<string, string>;
  return Object.assign(checked, value);
}

/** Field names come from the caller, so what is echoed is short and harmless to a terminal. */
function printable(name: string): string {
  return name.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}

function invalid(name: string, why: string): StrongroomError {
  return new StrongroomError('request.invalid', `Cannot take the request: "${name}" ${why}`);
}

function tooLarge(name: string, max: number, unit: string): StrongroomError {
  return new StrongroomError(
    'request.too-large',
    `Cannot take the request: "${name}" has more than ${max} ${unit}`,
    { details: { max } },
  );
}
