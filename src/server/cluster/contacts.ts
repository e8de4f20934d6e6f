import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../certificates/index.ts';
import { type Member, memberSchema } from './member.ts';

const file = (dataDir: string) => join(dataDir, 'contacts.json');

/**
 * Whom this node knew last, kept beside its state: one whose state is lost must still find the
 * others, and others move after a node joined. Undefined when nothing was kept yet.
 */
export async function readContacts(dataDir: string): Promise<readonly Member[] | undefined> {
  try {
    return z
      .array(memberSchema)
      .min(1)
      .parse(JSON.parse(await readFile(file(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeContacts(dataDir: string, members: readonly Member[]): Promise<void> {
  await writeAtomically(file(dataDir), `${JSON.stringify(members)}\n`, 0o600);
}
