import { type ScalarTag, stringify } from 'yaml';
import { plainNumber, stringifyExactly } from '../input/exact-json.ts';

export const formats = ['table', 'json', 'yaml'] as const;
export type Format = (typeof formats)[number];

/** One answer in its two shapes: the document for programs, and the table for people. */
export interface View {
  readonly document: unknown;
  /** Made only when a table is wanted. Ends with a line break. */
  readonly table: () => string;
}

export function render(view: View, format: Format): string {
  switch (format) {
    case 'table':
      return view.table();
    case 'json':
      return `${stringifyExactly(plain(view.document), 2)}\n`;
    case 'yaml':
      return yamlOf(plain(view.document));
  }
}

/** Numbers that were kept as text are numbers here too. */
const keptNumber: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  identify: (value) => plainNumber(value) !== value,
  resolve: (text) => text,
  stringify: ({ value }) => String(plainNumber(value)),
};

function yamlOf(document: unknown): string {
  return stringify(document, { customTags: (tags) => [keptNumber, ...tags] });
}

/** Without absent fields, bytes as base64: what JSON and YAML can say. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, plain(inner)]),
  );
}
