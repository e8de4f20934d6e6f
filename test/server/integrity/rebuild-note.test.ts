import { describe, expect, it } from 'vitest';
import { StrongroomError, systemClock } from '../../../src/lib/index.ts';
import { readRebuildNote, wantRebuild } from '../../../src/server/integrity/rebuild-note.ts';
import { tempDirectory } from '../../store/harness.ts';

const corrupt = new StrongroomError('store.corrupt', 'The state is damaged');
const at = (nowMs: number) => ({ ...systemClock, wallMs: () => nowMs });

describe('making a state anew', () => {
  it('is a cure for a state that is damaged or differs, and for nothing else', async () => {
    await using directory = await tempDirectory();
    const failed = new StrongroomError('raft.disk-failed', 'The disk refused a write');
    expect(await wantRebuild(directory.path, failed, systemClock)).toBe(false);
    expect(await wantRebuild(directory.path, new Error('other'), systemClock)).toBe(false);
    expect(await readRebuildNote(directory.path)).toBeUndefined();
    expect(await wantRebuild(directory.path, corrupt, systemClock)).toBe(true);
    expect(await readRebuildNote(directory.path)).toMatchObject({ phase: 'wanted' });
  });

  it('is given up after five times within an hour, and tried again later', async () => {
    await using directory = await tempDirectory();
    for (let minute = 0; minute < 5; minute++) {
      expect(await wantRebuild(directory.path, corrupt, at(minute * 60_000))).toBe(true);
    }
    expect(await wantRebuild(directory.path, corrupt, at(59 * 60_000))).toBe(false);
    expect(await wantRebuild(directory.path, corrupt, at(61 * 60_000))).toBe(true);
  });
});
