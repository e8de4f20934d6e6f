import { readFileSync } from 'node:fs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldSpec, MessageSpec } from '../../src/vault/index.ts';
import { startVault, type VaultFixture } from '../harness/vault.ts';

interface Field {
  readonly name: string;
  readonly number: number;
  readonly jsonName: string;
  readonly type: string;
  readonly typeName?: string;
  readonly label: string;
  readonly proto3Optional?: boolean;
}
interface Message {
  readonly name: string;
  readonly field?: readonly Field[];
  readonly nestedType?: readonly (Message & {
    readonly options?: { readonly mapEntry?: boolean };
  })[];
}
interface Method {
  readonly name: string;
  readonly inputType: string;
  readonly outputType: string;
}
interface File {
  readonly package: string;
  readonly messageType?: readonly Message[];
  readonly service?: readonly { readonly name: string; readonly method: readonly Method[] }[];
}

// The package's types do not know its own message classes.
const { FileDescriptorSet } = descriptor as unknown as {
  readonly FileDescriptorSet: { decode(bytes: Uint8Array): { toJSON(): unknown } };
};
const set = FileDescriptorSet.decode(
  readFileSync('src/wire/generated/descriptors.binpb'),
).toJSON() as { readonly file: readonly File[] };
const files = set.file.filter((file) => file.package === 'strongroom.v1');
const messages = new Map(
  files
    .flatMap((file) => file.messageType ?? [])
    .map((message) => [`.strongroom.v1.${message.name}`, message]),
);

/** Streams that the face carries by itself, past the operation table. */
const notOperations = ['PipelineService', 'WatchService'];
const methods = files
  .flatMap((file) => file.service ?? [])
  .filter((service) => !notOperations.includes(service.name))
  .flatMap((service) =>
    service.method.map((method) => ({
      operation: `${lowerFirst(service.name.replace(/Service$/, ''))}.${lowerFirst(method.name)}`,
      method,
    })),
  );

const SCALARS: Readonly<Record<string, string>> = {
  TYPE_STRING: 'string',
  TYPE_BYTES: 'bytes',
  TYPE_UINT32: 'uint32',
  TYPE_UINT64: 'uint64',
  TYPE_BOOL: 'bool',
};

describe('the operation table and the protocol', () => {
  let fixture: VaultFixture;
  beforeAll(async () => {
    fixture = await startVault();
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  it('name the same operations', () => {
    expect(methods.length).toBeGreaterThan(40);
    expect([...fixture.vault.operations.keys()].sort()).toEqual(
      methods.map(({ operation }) => operation).sort(),
    );
  });

  it.each(methods)('agree on every field of $operation', ({ operation, method }) => {
    const face = fixture.vault.operations.get(operation);
    expect(shapeOfSpec(face?.request ?? {})).toEqual(shapeOfMessage(method.inputType));
    expect(shapeOfSpec(face?.response ?? {})).toEqual(shapeOfMessage(method.outputType));
  });

  // What a request is known by when it is sent again follows from it (src/vault/receipts.ts).
  it.each(methods)('have the fields of $operation in the order of their numbers', (one) => {
    const { request } = fixture.vault.operations.get(one.operation) ?? { request: {} };
    expect(namesIn(request)).toEqual(namesOf(one.method.inputType));
  });

  it.each(methods)('hash what is secret in $operation', ({ operation }) => {
    const face = fixture.vault.operations.get(operation);
    const fields = [
      ...Object.entries(face?.request ?? {}),
      ...Object.entries(face?.response ?? {}),
    ];
    const secret = /^(?:data|token|share|shares|rootToken|joinToken|value)$/;
    const inClear = fields
      // How many shares there are to be is no secret.
      .filter(([name, field]) => secret.test(name) && field.type !== 'uint32')
      .filter(([, field]) => field.sensitive !== true);
    expect(inClear).toEqual([]);
  });
});

/** Names of fields in their order, those of messages inside with them. */
function namesIn(spec: MessageSpec): unknown {
  return Object.entries(spec).map(([name, { type }]) => {
    const one = typeof type === 'object' && 'list' in type ? type.list : type;
    return typeof one === 'object' && 'message' in one ? [name, namesIn(one.message)] : name;
  });
}

function namesOf(typeName: string): unknown {
  const fields = [...(messages.get(typeName)?.field ?? [])].sort((a, b) => a.number - b.number);
  return fields.map(({ jsonName, typeName: inner }) =>
    inner !== undefined && messages.has(inner) ? [jsonName, namesOf(inner)] : jsonName,
  );
}

function shapeOfSpec(spec: MessageSpec): unknown {
  return Object.fromEntries(
    Object.entries(spec).map(([name, field]) => [
      name,
      { type: shapeOfType(field.type), optional: isOptional(field) },
    ]),
  );
}

/** A message field always tells "not given" apart, with or without the word. */
function isOptional(field: FieldSpec): boolean {
  const isMessage = typeof field.type === 'object' && 'message' in field.type;
  return !isMessage && field.optional === true;
}

function shapeOfType(type: FieldSpec['type']): unknown {
  if (typeof type === 'string') return type;
  if ('list' in type) return { list: shapeOfType(type.list) };
  return { message: shapeOfSpec(type.message) };
}

function shapeOfMessage(typeName: string): unknown {
  const message = messages.get(typeName);
  if (message === undefined) throw new Error(`No message ${typeName}`);
  return Object.fromEntries(
    (message.field ?? []).map((field) => [
      field.jsonName,
      { type: shapeOfField(message, field), optional: isOptionalField(field) },
    ]),
  );
}

function isOptionalField(field: Field): boolean {
  return field.type !== 'TYPE_MESSAGE' && field.proto3Optional === true;
}

function shapeOfField(message: Message, field: Field): unknown {
  const isMap = message.nestedType?.some(
    (nested) => nested.options?.mapEntry === true && field.typeName?.endsWith(`.${nested.name}`),
  );
  if (isMap === true) return 'map';
  const one =
    field.type === 'TYPE_MESSAGE'
      ? { message: shapeOfMessage(field.typeName ?? '') }
      : (SCALARS[field.type] ?? field.type);
  return field.label === 'LABEL_REPEATED' ? { list: one } : one;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
