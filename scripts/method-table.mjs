// From the descriptor set: `methods.js`, a table of every method of the public API with its codecs,
// and `methods.d.ts`, the messages as plain objects. So that server, client and forwarding share one
// list that cannot fall out of step with proto/.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import descriptor from 'protobufjs/ext/descriptor/index.js';

const PACKAGE = '.strongroom.v1.';
const scalar = {
  TYPE_STRING: 'string',
  TYPE_BYTES: 'Uint8Array',
  TYPE_BOOL: 'boolean',
  TYPE_UINT32: 'number',
  TYPE_UINT64: 'number',
};

export function writeMethodTable(folder) {
  const { FileDescriptorSet } = descriptor;
  const bytes = readFileSync(join(folder, 'descriptors.binpb'));
  const set = FileDescriptorSet.toObject(FileDescriptorSet.decode(bytes), { enums: String });
  const files = set.file.filter((file) => `.${file.package}.` === PACKAGE);
  const messages = files.flatMap((file) => file.messageType ?? []);
  const methods = files.flatMap((file) =>
    (file.service ?? []).flatMap((service) =>
      service.method.map((method) => methodEntry(service.name, method)),
    ),
  );
  writeFileSync(join(folder, 'methods.js'), tableSource(methods));
  writeFileSync(join(folder, 'methods.d.ts'), typesSource(methods, messages));
}

/** KvService/DeleteVersions is "kv.deleteVersions". */
function methodEntry(service, method) {
  const name = method.name[0].toLowerCase() + method.name.slice(1);
  const streams = [method.clientStreaming, method.serverStreaming].map(Boolean).join();
  const kind = {
    'false,false': 'unary',
    'false,true': 'server-stream',
    'true,false': 'client-stream',
    'true,true': 'duplex',
  }[streams];
  const group = service.slice(0, -'Service'.length);
  return {
    operation: `${group[0].toLowerCase()}${group.slice(1)}.${name}`,
    path: `/${PACKAGE.slice(1, -1)}.${service}/${method.name}`,
    kind,
    request: method.inputType.slice(PACKAGE.length),
    response: method.outputType.slice(PACKAGE.length),
  };
}

function tableSource(methods) {
  const rows = methods.map(
    (one) =>
      `  '${one.operation}': { operation: '${one.operation}', path: '${one.path}', kind: '${one.kind}', ` +
      `request: v1.${one.request}, response: v1.${one.response} },`,
  );
  return [
    "import root from './api.js';",
    'const { v1 } = root.strongroom;',
    'export const methods = {',
    ...rows,
    '};',
    '',
  ].join('\n');
}

function typesSource(methods, messages) {
  const rows = methods.map(
    (one) =>
      `  readonly '${one.operation}': Method<'${one.operation}', '${one.kind}', ${one.request}, ${one.response}>;`,
  );
  return [
    "import type { Method } from '../method.ts';",
    ...messages.map(messageType),
    'export declare const methods: {',
    ...rows,
    '};',
    '',
  ].join('\n');
}

function messageType(message) {
  const entries = new Map(
    (message.nestedType ?? [])
      .filter((nested) => nested.options?.mapEntry)
      .map((nested) => [nested.name, nested]),
  );
  const fields = (message.field ?? []).map((field) => {
    const repeated = field.label === 'LABEL_REPEATED';
    const entry = entries.get(field.typeName?.split('.').at(-1));
    const type = entry
      ? `Readonly<Record<string, ${baseType(entry.field[1])}>>`
      : repeated
        ? `readonly ${baseType(field)}[]`
        : baseType(field);
    // Told apart from "not given": proto3 `optional`, members of a oneof, single messages.
    const absent =
      !repeated &&
      (field.proto3Optional || field.oneofIndex != null || field.type === 'TYPE_MESSAGE');
    return `  readonly ${field.jsonName}${absent ? '?' : ''}: ${type}${absent ? ' | undefined' : ''};`;
  });
  // An alias, not an interface: it can then stand where any plain object may.
  return [`export type ${message.name} = {`, ...fields, '};'].join('\n');
}

function baseType(field) {
  if (field.type === 'TYPE_MESSAGE') return field.typeName.slice(PACKAGE.length);
  const type = scalar[field.type];
  if (type === undefined) throw new Error(`method-table: no TypeScript type for ${field.type}`);
  return type;
}
