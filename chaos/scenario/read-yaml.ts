import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { StrongroomError } from '../../src/lib/index.ts';
import { Problems } from './problems.ts';
import { reportIssues } from './zod-issues.ts';

const FILE_BYTES_MAX = 256 * 1024;

/** @throws StrongroomError `cli.file-unreadable`; `what` says which kind of file it should be. */
export async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StrongroomError('cli.file-unreadable', `Cannot read the ${what} ${file}`, { cause });
  }
}

/**
 * The outer shape of a YAML file, and where to put what is found wrong with its words.
 *
 * @throws StrongroomError `config.invalid` with every problem as `file:line:column: what would be
 * right`.
 */
export function parseYaml<Schema extends z.ZodType>(
  file: string,
  text: string,
  schema: Schema,
): { readonly raw: z.output<Schema>; readonly problems: Problems } {
  if (text.length > FILE_BYTES_MAX) {
    throw new StrongroomError('config.invalid', `${file}:1:1: longer than ${FILE_BYTES_MAX} bytes`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = new Problems(file, document, lines);
  for (const error of document.errors) problems.add(problems.placeAt(error.pos[0]), error.message);
  problems.throwIfAny();
  const parsed = schema.safeParse(toPlain(document, problems));
  if (parsed.success) return { raw: parsed.data, problems };
  reportIssues(parsed.error, [], schema, problems);
  problems.throwIfAny();
  throw new StrongroomError('config.invalid', `${file}:1:1: cannot be read`);
}

function toPlain(document: { toJS(): unknown }, problems: Problems): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Too many aliases: the only thing that can fail here.
    problems.at([], error instanceof Error ? error.message : String(error));
    problems.throwIfAny();
    return undefined;
  }
}
