import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Clock, hasCode, type StrongroomError } from '../../lib/index.ts';
import { writeAtomically } from '../certificates/index.ts';

/** More rebuilds than this within an hour are no cure: the machine is at fault. */
const REBUILDS_MAX = 5;
const REBUILDS_WINDOW_MS = 3_600_000;

const noteSchema = z.strictObject({
  /** `wanted`: the state must not be used again. `under-way`: a new one is being made. */
  phase: z.enum(['wanted', 'under-way', 'done']),
  because: z.string(),
  /** When the last rebuilds were asked for. */
  atMs: z.array(z.number()).max(REBUILDS_MAX),
});

/** What a node notes beside its state, so that a crash does not bring a bad state back to life. */
export type RebuildNote = z.infer<typeof noteSchema>;

const noteFile = (dataDir: string) => join(dataDir, 'rebuild.json');
const stateFolder = (dataDir: string) => join(dataDir, 'state');
/** The state that was put aside, kept as evidence until the next one is. */
const damagedFolder = (dataDir: string) => join(dataDir, 'state.damaged');

/** Undefined when none was ever wanted; a note that cannot be read is taken for none. */
export async function readRebuildNote(dataDir: string): Promise<RebuildNote | undefined> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(noteFile(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}

/**
 * Notes that the state must be made anew.
 *
 * @returns false when `because` is no failure of the state, or too many rebuilds were of no use: the
 *   node must stop then.
 */
export async function wantRebuild(
  dataDir: string,
  because: unknown,
  clock: Clock,
): Promise<boolean> {
  if (!isStateFailure(because)) return false;
  const former = (await readRebuildNote(dataDir))?.atMs ?? [];
  const nowMs = clock.wallMs();
  const lately = former.filter((atMs) => nowMs - atMs < REBUILDS_WINDOW_MS);
  if (lately.length >= REBUILDS_MAX) return false;
  await note(dataDir, { phase: 'wanted', because: because.message, atMs: [...lately, nowMs] });
  return true;
}

/** What a new state, made from the log or by another node, is a cure for. */
export function isStateFailure(error: unknown): error is StrongroomError {
  return hasCode(error, 'store.corrupt', 'store.diverged');
}

/** Puts the state aside; from here on a new one is under way. */
export async function quarantineState(dataDir: string, wanted: RebuildNote): Promise<void> {
  await rm(damagedFolder(dataDir), { recursive: true, force: true });
  await rename(stateFolder(dataDir), damagedFolder(dataDir)).catch((error: unknown) => {
    // A crash came between here and the note.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
  await note(dataDir, { ...wanted, phase: 'under-way' });
}

export async function rebuildDone(dataDir: string): Promise<void> {
  const former = await readRebuildNote(dataDir);
  if (former !== undefined) await note(dataDir, { ...former, phase: 'done' });
}

async function note(dataDir: string, content: RebuildNote): Promise<void> {
  await writeAtomically(noteFile(dataDir), `${JSON.stringify(content)}\n`, 0o600);
}
