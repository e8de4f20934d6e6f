import { describe, expect, it } from 'vitest';
import { utf8Bytes } from '../../../src/lib/index.ts';
import type { Revision } from '../../../src/store/index.ts';
import { put } from '../../store/harness.ts';
import { alterRecord, compared } from './compared.ts';

const poll = { timeout: 5_000, interval: 5 };
const key = utf8Bytes('a');
/** As another node would have it, had it applied something else once. */
const otherRevision = (directory: string) =>
  alterRecord(directory, key, (record) => ({ ...record, revision: 1 as Revision }));
const otherValue = (directory: string) =>
  alterRecord(directory, key, (record) => ({ ...record, value: utf8Bytes('altered') }));

describe('comparing the states of voters', () => {
  it('writes nothing to the log while all have the same', async () => {
    await using nodes = await compared(3);
    nodes.commit({ writes: [put('a', '1')] });
    const { revision } = nodes.store(1);
    for (let round = 0; round < 3; round++) await nodes.rounds.round();
    expect(nodes.store(1).revision).toBe(revision);
    expect(nodes.out.size).toBe(0);
  });

  for (const wrong of [1, 3]) {
    const who = wrong === 1 ? 'the leader itself' : 'a follower';
    it(`takes out the one of three that differs, ${who}, and only that one`, async () => {
      await using nodes = await compared(3);
      nodes.commit({ writes: [put('b', '1')] });
      nodes.commit({ writes: [put('a', '1')] });
      await nodes.restart((directoryOf) => otherRevision(directoryOf(wrong)));
      await nodes.rounds.round();
      expect(nodes.out.size).toBe(0);
      nodes.commit({ writes: [put('a', '2')] });
      await nodes.rounds.round();
      expect([...nodes.out.keys()]).toEqual([wrong]);
      expect(nodes.out.get(wrong)).toMatchObject({
        code: 'store.diverged',
        details: { node: wrong, of: 'history' },
      });
    });
  }

  it('takes nobody out for what only a minority of all voters says', async () => {
    await using nodes = await compared(3, { silent: [2] });
    nodes.commit({ writes: [put('b', '1')] });
    nodes.commit({ writes: [put('a', '1')] });
    await nodes.restart((directoryOf) => otherRevision(directoryOf(3)));
    nodes.commit({ writes: [put('a', '2')] });
    const before = nodes.store(1).revision;
    await nodes.rounds.round();
    expect(nodes.store(1).revision).toBe(before + 1);
    // The dispute is told once, not at each round.
    nodes.commit({ writes: [put('a', '3')] });
    await nodes.rounds.round();
    expect(nodes.store(1).revision).toBe(before + 2);
    expect(nodes.out.size).toBe(0);
  });

  it('takes out the one of two that cannot read its own state', async () => {
    await using nodes = await compared(2);
    nodes.commit({ writes: [put('b', '1'), put('c', '1')] });
    nodes.commit({ writes: [put('a', '1')] });
    await nodes.restart(async (directoryOf) => {
      await otherRevision(directoryOf(2));
      await alterRecord(directoryOf(2), utf8Bytes('c'), undefined);
    });
    nodes.commit({ writes: [put('a', '2')] });
    await nodes.rounds.round();
    await expect.poll(() => [...nodes.out.keys()], poll).toEqual([2]);
    expect(nodes.out.get(2)).toMatchObject({ code: 'store.corrupt' });
  });
});

describe('reading the whole state on a schedule', () => {
  it('finds a record that was altered with its checksum, which no write ever meets', async () => {
    await using nodes = await compared(3, { verifyEveryMs: 1 });
    nodes.commit({ writes: [put('a', '1'), put('b', '1')] });
    await nodes.restart((directoryOf) => otherValue(directoryOf(2)));
    await expect
      .poll(async () => {
        await nodes.rounds.round();
        return [...nodes.out.keys()];
      }, poll)
      .toEqual([2]);
    expect(nodes.out.get(2)).toMatchObject({
      code: 'store.diverged',
      details: { node: 2, of: 'content' },
    });
  });

  it('finds a damaged record that no reader ever meets', async () => {
    await using nodes = await compared(1, { verifyEveryMs: 1 });
    nodes.commit({ writes: [put('a', '1'), put('b', '1')] });
    await nodes.restart((directoryOf) => alterRecord(directoryOf(1), key, undefined));
    await nodes.rounds.round();
    await expect.poll(() => nodes.out.get(1), poll).toMatchObject({ code: 'store.corrupt' });
  });

  it('is begun when it is due, and not before', async () => {
    await using nodes = await compared(3, { verifyEveryMs: 3_600_000 });
    nodes.commit({ writes: [put('a', '1')] });
    const { revision } = nodes.store(1);
    await nodes.rounds.round();
    await expect
      .poll(async () => {
        await nodes.rounds.round();
        return nodes.store(1).revision;
      }, poll)
      // The word to begin, and that a majority has the same content.
      .toBe(revision + 2);
    for (let round = 0; round < 5; round++) await nodes.rounds.round();
    expect(nodes.store(1).revision).toBe(revision + 2);
    expect(nodes.out.size).toBe(0);
  });
});
