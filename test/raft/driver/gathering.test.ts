import { describe, expect, it } from 'vitest';
import { Gathering } from '../../../src/raft/driver/gathering.ts';

const BYTES_MAX = 1_000;
const gathered = (count: number, bytes = count) => ({ count, bytes });

describe('a batch of proposals', () => {
  it('of one goes into the log after a turn that brought nothing', () => {
    const gathering = new Gathering(BYTES_MAX);
    expect(gathering.waitsFor(gathered(1), undefined)).toBe('turn');
    expect(gathering.waitsFor(gathered(1), undefined)).toBeUndefined();
    // And so does the next one: nothing is left of the first.
    expect(gathering.waitsFor(gathered(1), undefined)).toBe('turn');
    expect(gathering.waitsFor(gathered(1), undefined)).toBeUndefined();
  });

  it('asks for no turn while there is none', () => {
    const gathering = new Gathering(BYTES_MAX);
    expect(gathering.waitsFor(gathered(0), undefined)).toBeUndefined();
    expect(gathering.waitsFor(gathered(0), 1)).toBeUndefined();
  });

  it('stays open while the one before is written, and goes when that is done', () => {
    const gathering = new Gathering(BYTES_MAX);
    for (let turn = 1; turn < 50; turn++) {
      expect(gathering.waitsFor(gathered(turn), 1)).toBe('write');
    }
    expect(gathering.waitsFor(gathered(50), undefined)).toBe('turn');
    expect(gathering.waitsFor(gathered(50), undefined)).toBeUndefined();
  });

  it('waits for no disk that hangs: others may make a majority', () => {
    const gathering = new Gathering(BYTES_MAX);
    expect(gathering.waitsFor(gathered(1), 19)).toBe('write');
    expect(gathering.waitsFor(gathered(1), 60)).toBe('turn');
    expect(gathering.waitsFor(gathered(1), 60)).toBeUndefined();
  });

  it('goes after a few turns, though each brings more', () => {
    const gathering = new Gathering(BYTES_MAX);
    let turns = 1;
    while (gathering.waitsFor(gathered(turns), undefined) !== undefined) turns += 1;
    expect(turns).toBeLessThan(10);
  });

  it('goes at once when it has as many bytes as one message takes', () => {
    const gathering = new Gathering(BYTES_MAX);
    expect(gathering.waitsFor(gathered(3, BYTES_MAX), 1)).toBeUndefined();
    expect(gathering.waitsFor(gathered(3, BYTES_MAX), undefined)).toBeUndefined();
  });
});
