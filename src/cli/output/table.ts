import { plainNumber, stringifyExactly } from '../input/exact-json.ts';

const GAP = '    ';

/**
 * Columns under headers, the way `vault` prints them. Control characters are shown, not sent: what
 * a secret holds must not steer the terminal.
 */
export function renderTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = [
    headers.map(safeForTerminal),
    headers.map((header) => '-'.repeat(header.length)),
    ...rows.map((row) => row.map(safeForTerminal)),
  ];
  const widths = headers.map((_, column) =>
    Math.max(...cells.map((row) => displayWidth(row[column] ?? ''))),
  );
  const lines = cells.map((row) =>
    row
      .map(
        (cell, column) =>
          cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell))),
      )
      .join(GAP)
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** A table of names and values. */
export function renderKeyValues(
  entries: Readonly<Record<string, unknown>>,
  headers: readonly [string, string] = ['Key', 'Value'],
): string {
  return renderTable(
    headers,
    Object.entries(entries).map(([key, value]) => [key, cellText(value)]),
  );
}

/** A heading as wide as the table below it. */
export function renderSection(title: string, body: string): string {
  const width = Math.max(...body.split('\n').map((line) => line.length), title.length + 4);
  const left = '='.repeat(Math.max(1, Math.floor((width - title.length - 2) / 2)));
  const right = '='.repeat(Math.max(1, width - title.length - 2 - left.length));
  return `${left} ${title} ${right}\n${body}`;
}

/** One value as text: scalars as they are, lists in brackets, anything else as JSON. */
export function cellText(given: unknown): string {
  const value = plainNumber(given);
  if (value === undefined || value === null || value === '') return 'n/a';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    return `[${value.map(plainNumber).join(' ')}]`;
  }
  return typeof value === 'object' ? stringifyExactly(value) : String(value as string | number);
}

/** Shows control characters (terminal escapes, changes of direction) instead of sending them. */
export function safeForTerminal(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (char) =>
    char === '\n' || char === '\t'
      ? char
      : `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

function displayWidth(text: string): number {
  return Array.from(text).length;
}

/** A value of an answer as text, '' when it is absent. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number);
}
