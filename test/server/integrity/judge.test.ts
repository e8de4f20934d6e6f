import { describe, expect, it } from 'vitest';
import { judge } from '../../../src/server/integrity/judge.ts';

describe('when the digests of voters differ', () => {
  it('the minority is wrong, counted against all voters and not only those that answered', () => {
    const two = new Map([
      [1, 'a'],
      [2, 'b'],
      [3, 'a'],
    ]);
    expect(judge(3, two)).toEqual({ kind: 'minority', digest: 'a', wrong: [2] });
    // Two of five are no majority, though they are more than one.
    expect(judge(5, two)).toEqual({ kind: 'tie' });
  });

  it('nobody is said to be wrong when there are as many on each side', () => {
    const halves = new Map([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(judge(2, halves)).toEqual({ kind: 'tie' });
    expect(judge(3, halves)).toEqual({ kind: 'tie' });
    expect(judge(3, new Map([...halves, [3, 'c']]))).toEqual({ kind: 'tie' });
  });

  it('one digest alone differs from nothing', () => {
    expect(judge(3, new Map([[2, 'b']]))).toEqual({ kind: 'agree', voters: 1 });
    expect(judge(3, new Map())).toEqual({ kind: 'agree', voters: 0 });
  });
});
