import { StrongroomError } from '../../lib/index.ts';
import type { CliIo } from '../io.ts';
import { parseExactly } from './exact-json.ts';
import { readTextFile } from './secret-text.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads the data of a secret as `vault kv put` does: `key=value`; `key=@file` and `key=-` take the
 * value from a file or standard input; `key=\@x` is the text `@x`; a lone `-` or `@file` is a whole
 * JSON object.
 *
 * @throws StrongroomError `cli.usage`, naming the key and never the value.
 */
export async function readKeyValues(args: readonly string[], io: CliIo): Promise<JsonObject> {
  const out: Record<string, unknown> = Object.create(null);
  let hasReadStdin = false;
  const stdin = () => {
    if (hasReadStdin)
      throw new StrongroomError('cli.usage', 'Standard input can be read only once');
    hasReadStdin = true;
    return io.readStdin();
  };
  for (const arg of args) {
    if (arg === '-') {
      Object.assign(out, parseObject(await stdin(), 'standard input'));
      continue;
    }
    if (arg.startsWith('@')) {
      Object.assign(out, parseObject(readTextFile(arg.slice(1)), arg.slice(1)));
      continue;
    }
    const at = arg.indexOf('=');
    if (at <= 0) {
      throw new StrongroomError(
        'cli.usage',
        'Cannot read an argument as data: write key=value, key=@FILE, key=-, @FILE.json or -',
      );
    }
    const key = arg.slice(0, at);
    const value = arg.slice(at + 1);
    if (value === '-') out[key] = await stdin();
    else if (value.startsWith('@')) out[key] = readTextFile(value.slice(1));
    else out[key] = value.startsWith('\\@') ? value.slice(1) : value;
  }
  return out;
}

/** `key=value` pairs that are no secrets (metadata); a repeated flag adds up. */
export function collectPair(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf('=');
  if (at <= 0) {
    throw new StrongroomError('cli.usage', `Cannot read ${JSON.stringify(text)}: write key=value`);
  }
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A flag that may be given several times, or once with commas. */
export function collectList(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',').map((one) => one.trim())].filter((one) => one !== '');
}

function parseObject(text: string, source: string): JsonObject {
  let value: unknown;
  try {
    value = parseExactly(text);
  } catch {
    // The parser's message quotes the text, which is secret.
    throw new StrongroomError('cli.usage', `Cannot read ${source}: it is not valid JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StrongroomError('cli.usage', `Cannot read ${source}: it must be a JSON object`);
  }
  return value as JsonObject;
}
