import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/index.ts';
import { openStore, type Store } from '../../store/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import { integrityMetrics } from './integrity-metrics.ts';
import { quarantineState, readRebuildNote, wantRebuild } from './rebuild-note.ts';

export interface OpenedState {
  readonly store: Store;
  /** Why it is being made anew; undefined when it is the one that was there. */
  readonly rebuilding: string | undefined;
}

/**
 * Opens the state of a node. One that is damaged, or was found to differ, is put aside, and a new,
 * empty one takes its place.
 *
 * @throws StrongroomError `store.corrupt` when that was of no use too often.
 */
export async function openState(options: {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly onFailed: (error: Error) => void;
}): Promise<OpenedState> {
  const { dataDir, clock, log, metrics, onFailed } = options;
  const open = async () => {
    const directory = join(dataDir, 'state');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const part = log.child({ part: 'store' });
    return openStore({ directory, clock, log: part, metrics, onFailed });
  };
  let note = await readRebuildNote(dataDir);
  if (note?.phase !== 'wanted') {
    try {
      const store = await open();
      return { store, rebuilding: note?.phase === 'under-way' ? note.because : undefined };
    } catch (error) {
      if (!(await wantRebuild(dataDir, error, clock))) throw error;
      note = await readRebuildNote(dataDir);
    }
  }
  if (note === undefined) throw new Error('The note of a rebuild is gone');
  log.error({ because: note.because }, 'Puts the state aside, and makes a new one');
  const instruments = integrityMetrics(metrics);
  instruments.outOfService.set(1);
  instruments.rebuilds.add();
  await quarantineState(dataDir, note);
  return { store: await open(), rebuilding: note.because };
}
