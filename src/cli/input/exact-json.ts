import { randomBytes } from 'node:crypto';

/** No secret can hold it: it is drawn anew in each process. */
const MARK = `\u0000${randomBytes(16).toString('hex')}:`;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
const MARKED = new RegExp(`"\\\\u0000${MARK.slice(1)}(-?\\d[\\d.eE+-]*)"`, 'g');

/**
 * `JSON.parse`, but numbers that a JavaScript number would alter (a 64-bit id, 1.10) are kept as
 * they are written, as marked strings; `stringifyExactly` and `plainNumber` take the mark away.
 */
export function parseExactly(json: string): unknown {
  return JSON.parse(
    json.replace(TOKEN, (token) =>
      token.startsWith('"') || String(Number(token)) === token
        ? token
        : JSON.stringify(MARK + checked(token)),
    ),
  );
}

/** `JSON.stringify`, with such numbers as they were. */
export function stringifyExactly(value: unknown, gap?: number): string {
  return JSON.stringify(value, undefined, gap).replace(MARKED, '$1');
}

/** A value for eyes: a number that was kept is the text that it was. */
export function plainNumber(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? value.slice(MARK.length) : value;
}

/** What is no number must be refused by the parser, not hidden in a string. */
function checked(token: string): string {
  JSON.parse(token);
  return token;
}
