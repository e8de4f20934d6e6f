import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedDisk } from '../../../../chaos/simulation/simulated-disk.ts';
import { SeededRandom, utf8Bytes } from '../../../../src/lib/index.ts';
import type { Disk } from '../../../../src/raft/driver/disk.ts';
import { holdsPromises, NO_HIGH_WATER } from '../../../../src/raft/driver/log/high-water.ts';
import { type LogChange, RaftLog } from '../../../../src/raft/driver/log/raft-log.ts';
import type { Entry, LogIndex, NodeId, SnapshotMeta, Term } from '../../../../src/raft/index.ts';

const identity = { clusterId: '0f'.repeat(16), groupId: 1, node: 3 as NodeId };
const nobody = { voters: [], learners: [], removed: [] };
const nothingApplied: SnapshotMeta = { index: 0 as LogIndex, term: 0 as Term, membership: nobody };

const entry = (index: number, term: number, text = `entry ${index} of ${term}`): Entry => ({
  index: index as LogIndex,
  term: term as Term,
  kind: 'command',
  data: utf8Bytes(text),
});
const hard = (term: number, commit = 0): LogChange => ({
  kind: 'hard',
  hard: { term: term as Term, vote: 1 as NodeId, commit: commit as LogIndex },
});

async function openLog(
  disk: Disk,
  options: { segmentBytesMax?: number; applied?: SnapshotMeta } = {},
) {
  return await RaftLog.open({
    disk,
    identity,
    applied: options.applied ?? nothingApplied,
    segmentBytesMax: options.segmentBytesMax ?? 1 << 20,
    windowBytesMax: 1 << 20,
    onDamage: async () => {},
  });
}

async function write(log: RaftLog, entries: readonly Entry[], ...more: readonly LogChange[]) {
  log.stage(entries);
  await log.write([{ kind: 'entries', entries }, ...more]);
}

function textsOf(log: RaftLog): readonly string[] {
  const held = log.entries(log.firstIndex(), (log.lastIndex() + 1) as LogIndex, 1 << 30) ?? [];
  return held.map((held) => Buffer.from(held.data).toString());
}

describe('the log on disk', () => {
  it('gives back after a restart what was written, with the newest of replaced entries', async () => {
    const disk = new SimulatedDisk();
    const { log } = await openLog(disk.attach(), { segmentBytesMax: 200 });
    await write(log, [entry(1, 1), entry(2, 1), entry(3, 1)], hard(1));
    await write(log, [entry(4, 1), entry(5, 1)]);
    await write(log, [entry(3, 2), entry(4, 2)], hard(2, 3));
    disk.killProcess();
    const again = await openLog(disk.attach());
    expect(textsOf(again.log)).toEqual([
      'entry 1 of 1',
      'entry 2 of 1',
      'entry 3 of 2',
      'entry 4 of 2',
    ]);
    expect(again.hard).toEqual({ term: 2, vote: 1, commit: 3 });
    expect(again.damage).toBeUndefined();
    expect(again.log.termOf(2 as LogIndex)).toBe(1);
    expect(again.log.termOf(4 as LogIndex)).toBe(2);
  });

  it('finds or survives a flipped bit at every byte, and never reads something else', async () => {
    const disk = await smallLog();
    const original = await openLog(disk.image().attach());
    const mark = { ...NO_HIGH_WATER, ...markOf(original.log, original.hard) };
    const before = textsOf(original.log);
    let found = 0;
    for (const name of disk.names()) {
      for (let byte = 0; byte < disk.contentOf(name).length; byte++) {
        const bad = disk.image();
        bad.flipBit(name, byte, byte % 8);
        const opened = await openLog(bad.attach());
        const lost = opened.damage !== undefined || !holds(mark, opened.log, opened.hard);
        const after = textsOf(opened.log);
        expect(lost || isDeepStrictEqual(after, before), `byte ${byte} of ${name}`).toBe(true);
        for (const text of after) expect(everWritten).toContain(text);
        if (lost) found += 1;
      }
    }
    expect(found).toBeGreaterThan(500);
  });

  it('finds every truncation, at every length, of any segment', async () => {
    const disk = await smallLog();
    const original = await openLog(disk.image().attach());
    const mark = { ...NO_HIGH_WATER, ...markOf(original.log, original.hard) };
    for (const name of disk.names()) {
      for (let size = 0; size < disk.contentOf(name).length; size++) {
        const bad = disk.image();
        bad.cut(name, size);
        const opened = await openLog(bad.attach());
        const lost = opened.damage !== undefined || !holds(mark, opened.log, opened.hard);
        expect(lost, `${name} cut to ${size}`).toBe(true);
        for (const text of textsOf(opened.log)) expect(everWritten).toContain(text);
      }
    }
  });

  it('finds a missing segment, and one that was swapped for an older copy', async () => {
    const disk = await smallLog();
    const [first, second, third] = disk.names();
    for (const name of [first, second]) {
      const bad = disk.image();
      await bad.attach().remove(name ?? '');
      expect((await openLog(bad.attach())).damage).toMatch(/missing|begins at entry/);
    }
    const bad = disk.image();
    await bad.attach().overwrite(third ?? '', bad.contentOf(second ?? ''));
    expect((await openLog(bad.attach())).damage).toMatch(/damaged at byte 0/);
  });

  it('loses nothing that was synced, and reports no damage, whatever a power cut tears', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 12 }),
        async (seed, sizes) => {
          const random = new SeededRandom(seed);
          const disk = new SimulatedDisk();
          const { log } = await openLog(disk.attach(), { segmentBytesMax: 3000 });
          let index = 0;
          for (const count of sizes) {
            const entries = Array.from({ length: count }, () =>
              entry(++index, 1, 'x'.repeat(random.below(90))),
            );
            await write(log, entries);
          }
          const synced = textsOf(log);
          // The last write reaches the file but not its sync.
          const unsynced = Array.from({ length: 1 + random.below(60) }, () =>
            entry(++index, 2, `y${random.below(1e9)}`),
          );
          log.stage(unsynced);
          const stuck = disk.attach({
            next: (operation) => ({ delayMs: operation === 'sync' ? 1 : 0 }),
            after: (delayMs, then) => {
              if (delayMs === 0) then();
            },
          });
          const reopened = await openLog(stuck, { segmentBytesMax: 3000 });
          reopened.log.stage(unsynced);
          void reopened.log.write([{ kind: 'entries', entries: unsynced }]);
          await new Promise(setImmediate);
          disk.crash(random);
          const after = await openLog(disk.attach());
          expect(after.damage).toBeUndefined();
          expect(textsOf(after.log).slice(0, synced.length)).toEqual(synced);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('starts over at a snapshot, wherever a power cut stops the change', async () => {
    const snapshot = { index: 40 as LogIndex, term: 3 as Term, membership: nobody };
    for (let seed = 0; seed < 40; seed++) {
      const disk = await smallLog();
      const random = new SeededRandom(seed);
      const stopAfter = random.below(8);
      let operations = 0;
      const { log } = await openLog(
        disk.attach({
          next: () => ({ delayMs: 0 }),
          after: (_delay, then) => {
            operations += 1;
            if (operations <= stopAfter + 5) then();
          },
        }),
      );
      log.stageReset(snapshot);
      void log.write([{ kind: 'reset', base: snapshot }, hard(3, 40)]);
      await new Promise(setImmediate);
      disk.crash(random);
      const after = await openLog(disk.attach(), { applied: snapshot });
      expect(after.damage).toBeUndefined();
      expect(after.log.firstIndex()).toBe(41);
      expect(after.log.lastIndex()).toBe(40);
      expect(after.log.termOf(40 as LogIndex)).toBe(3);
      await write(after.log, [entry(41, 3)]);
      disk.killProcess();
      const last = await openLog(disk.attach(), { applied: snapshot });
      expect(textsOf(last.log)).toEqual(['entry 41 of 3']);
    }
  });

  it('removes what a snapshot stands for, however many segments it was', async () => {
    const disk = new SimulatedDisk();
    const { log } = await openLog(disk.attach(), { segmentBytesMax: 50 });
    for (let index = 1; index <= 4; index++) await write(log, [entry(index, 1)]);
    const snapshot = { index: 40 as LogIndex, term: 3 as Term, membership: nobody };
    log.stageReset(snapshot);
    await log.write([{ kind: 'reset', base: snapshot }, hard(3, 40)]);
    const left = (await disk.attach().list()).filter((name) => name.startsWith('segment-'));
    expect(left).toHaveLength(1);
  });

  it('removes whole segments that are applied, and reads old entries back from disk', async () => {
    const disk = new SimulatedDisk();
    const { log } = await openLog(disk.attach(), { segmentBytesMax: 300 });
    for (let index = 1; index <= 60; index++) await write(log, [entry(index, 1)]);
    const files = disk.names().length;
    await log.compact(30 as LogIndex, 0);
    expect(disk.names().length).toBeLessThan(files);
    const first = log.firstIndex();
    expect(first).toBeGreaterThan(20);
    expect(first).toBeLessThanOrEqual(31);
    await expect(log.read(1 as LogIndex, 5 as LogIndex, 1000)).rejects.toMatchObject({
      code: 'store.compacted',
    });
    const applied = { index: 60 as LogIndex, term: 1 as Term, membership: nobody };
    const small = await RaftLog.open({
      disk: disk.attach(),
      identity,
      applied,
      segmentBytesMax: 300,
      windowBytesMax: 0,
      onDamage: async () => {},
    });
    expect(small.damage).toBeUndefined();
    expect(small.log.entries(first, 61 as LogIndex, 1000)).toBeUndefined();
    const seen: number[] = [];
    for (let at: number = first; at <= 60; ) {
      const entries = await small.log.read(at as LogIndex, 61 as LogIndex, 100);
      for (const one of entries) {
        expect(Buffer.from(one.data).toString()).toBe(`entry ${one.index} of 1`);
        seen.push(one.index);
      }
      at = (seen.at(-1) ?? 60) + 1;
    }
    expect(seen).toEqual(Array.from({ length: 61 - first }, (_, at) => first + at));
  });

  it('never writes again after a failed sync', async () => {
    const disk = new SimulatedDisk();
    let failures = 1;
    const { log } = await openLog(
      disk.attach({
        next: (operation) =>
          operation === 'sync' && failures-- > 0 ? { delayMs: 0, error: 'EIO' } : { delayMs: 0 },
        after: (_delay, then) => then(),
      }),
    );
    await expect(write(log, [entry(1, 1)])).rejects.toMatchObject({ code: 'raft.disk-failed' });
    await expect(log.write([hard(1)])).rejects.toMatchObject({ code: 'raft.disk-failed' });
  });

  it('refuses the log of another cluster or node', async () => {
    const disk = await smallLog();
    const open = RaftLog.open({
      disk: disk.attach(),
      identity: { ...identity, node: 4 as NodeId },
      applied: nothingApplied,
      segmentBytesMax: 300,
      windowBytesMax: 0,
      onDamage: async () => {},
    });
    await expect(open).rejects.toMatchObject({ code: 'raft.wrong-cluster' });
  });
});

const everWritten = [
  ...[1, 2, 3, 4, 5].map((index) => `entry ${index} of 1`),
  ...[4, 5, 6, 7, 8, 9].map((index) => `entry ${index} of 2`),
  'entry 10 of 3',
];

function markOf(log: RaftLog, state: { term: Term; vote: NodeId | undefined }) {
  const lastTerm = log.termOf(log.lastIndex()) ?? (0 as Term);
  return { term: state.term, vote: state.vote, lastIndex: log.lastIndex(), lastTerm };
}

function holds(
  mark: Parameters<typeof holdsPromises>[0],
  log: RaftLog,
  state: Parameters<typeof holdsPromises>[1],
): boolean {
  return holdsPromises(mark, state, log.lastIndex(), (index) => log.termOf(index));
}

/** Three segments, several frames each, with a replaced tail. */
async function smallLog(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  const { log } = await openLog(disk.attach(), { segmentBytesMax: 250 });
  await write(log, [entry(1, 1), entry(2, 1)], hard(1));
  await write(log, [entry(3, 1), entry(4, 1), entry(5, 1)]);
  await write(log, [entry(4, 2)], hard(2));
  await write(log, [entry(5, 2), entry(6, 2)]);
  await write(log, [entry(7, 2)], hard(2, 5));
  await write(log, [entry(8, 2), entry(9, 2)]);
  await write(log, [entry(10, 3)], hard(3, 9));
  await log.close();
  disk.killProcess();
  return disk;
}
