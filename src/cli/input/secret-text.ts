import { readFileSync, statSync } from 'node:fs';
import { StrongroomError } from '../../lib/index.ts';
import type { CliIo } from '../io.ts';

const FILE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads a token, share or PIN from where it cannot leak to the process list or the shell's history:
 * `-` is standard input, `@file` a file, and without either the terminal asks.
 *
 * @param what how to call it: "join token".
 * @throws StrongroomError `cli.usage` when it stands in the arguments themselves; it is not repeated.
 */
export async function readSecretText(
  io: CliIo,
  from: string | undefined,
  what: string,
): Promise<string> {
  const text = await readFrom(io, from, what);
  const trimmed = text.trim();
  if (trimmed === '') throw new StrongroomError('cli.usage', `Cannot go on: the ${what} is empty`);
  return trimmed;
}

async function readFrom(io: CliIo, from: string | undefined, what: string): Promise<string> {
  if (from === '-') return io.readStdin();
  if (from?.startsWith('@') === true) return readTextFile(from.slice(1));
  if (from !== undefined) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot take a ${what} as an argument, where other users of this machine can see it: give "-" and write it to standard input, or name a file as @FILE`,
    );
  }
  const typed = await io.askHidden(`${what[0]?.toUpperCase() ?? ''}${what.slice(1)}: `);
  if (typed !== undefined) return typed;
  throw new StrongroomError(
    'cli.usage',
    `Cannot ask for the ${what}, there is no terminal: give "-" and write it to standard input, or name a file as @FILE`,
  );
}

/** @throws StrongroomError `cli.file-unreadable` */
export function readTextFile(path: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) {
      throw new StrongroomError(
        'cli.file-unreadable',
        `Cannot read ${path}: it is larger than ${FILE_BYTES_MAX} bytes`,
      );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof StrongroomError) throw error;
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new StrongroomError('cli.file-unreadable', `Cannot read ${path}: ${why}`, {
      cause: error,
    });
  }
}
