import { parsePolicy } from './parse-policy.ts';

/**
 * The policy in one layout: two spaces a level, one space around "=", no trailing or doubled blank
 * lines; comments stay. JSON is indented. Formatting twice changes nothing, and the rules stay the
 * same.
 *
 * @throws StrongroomError `policy.invalid` when it does not parse.
 */
export async function formatPolicy(text: string): Promise<string> {
  await parsePolicy(text);
  if (text.trimStart().startsWith('{')) return `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
  const lines: string[] = [];
  let depth = 0;
  // A heredoc or block comment is kept as it is: its inside is not ours to indent.
  let verbatimUntil: RegExp | undefined;
  for (const given of text.replace(/\r\n?/g, '\n').split('\n')) {
    if (verbatimUntil !== undefined) {
      lines.push(given);
      if (verbatimUntil.test(given)) verbatimUntil = undefined;
      continue;
    }
    const tokens = tokensOf(given);
    const line = joined(tokens);
    if (line === '') {
      if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
      continue;
    }
    const { opened, closedFirst } = bracketsOf(tokens);
    lines.push('  '.repeat(Math.max(0, depth - closedFirst)) + line);
    depth = Math.max(0, depth + opened);
    verbatimUntil = verbatimStart(tokens);
  }
  while (lines.at(-1) === '') lines.pop();
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** Strings and comments whole, brackets and "=" alone, runs of space dropped. */
const TOKEN =
  /"(?:[^"\\]|\\.)*"|#.*|\/\/.*|\/\*.*?\*\/|\/\*.*|<<-?\w+|[{}[\](),=:]|[^\s"#{}[\](),=:/]+|\S/g;

function tokensOf(line: string): readonly string[] {
  return (line.match(TOKEN) ?? []).map((token) => token.trimEnd());
}

function joined(tokens: readonly string[]): string {
  let line = '';
  let former = '';
  for (const token of tokens) {
    const tight =
      line === '' ||
      token === ',' ||
      former === '[' ||
      token === ']' ||
      former === '(' ||
      token === ')' ||
      (former === '{' && token === '}');
    line += tight ? token : ` ${token}`;
    former = token;
  }
  return line;
}

function bracketsOf(tokens: readonly string[]): { opened: number; closedFirst: number } {
  let opened = 0;
  let lowest = 0;
  for (const token of tokens) {
    if (token === '{' || token === '[' || token === '(') opened++;
    if (token === '}' || token === ']' || token === ')') opened--;
    lowest = Math.min(lowest, opened);
  }
  return { opened, closedFirst: -lowest };
}

function verbatimStart(tokens: readonly string[]): RegExp | undefined {
  const last = tokens.at(-1) ?? '';
  if (last.startsWith('/*') && !last.endsWith('*/')) return /\*\//;
  const heredoc = /^<<-?(\w+)$/.exec(last);
  return heredoc === null ? undefined : new RegExp(`^\\s*${heredoc[1]}\\s*$`);
}
