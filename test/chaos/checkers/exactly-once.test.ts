import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  exactlyOnce,
  type OnceInput,
  type OnceOutput,
} from '../../../chaos/checkers/exactly-once.ts';
import { Scribe, verdict } from './evidence.ts';

class Story extends Scribe<OnceInput, OnceOutput> {
  readonly made: string[] = [];

  /** An attempt that makes the request, if none has yet, and is answered. */
  sends(request: string, version = this.#versionOf(request), revision = 10 * version): this {
    return this.ok(
      0,
      'write',
      { kind: 'put', key: 'k', request },
      { kind: 'put', version, revision },
    );
  }

  /** An attempt that is not answered, and made or not. */
  loses(request: string, isMade: boolean): this {
    if (isMade) this.#versionOf(request);
    return this.maybe(0, 'write', { kind: 'put', key: 'k', request });
  }

  reads(requests: readonly string[] = this.made, current = requests.length): this {
    const output = { kind: 'versions', requests: [...requests], current } as const;
    return this.ok(9, 'read', { kind: 'read', key: 'k' }, output);
  }

  #versionOf(request: string): number {
    if (!this.made.includes(request)) this.made.push(request);
    return this.made.indexOf(request) + 1;
  }
}

const story = () => new Story();
const judged = ({ entries }: Story) => verdict(exactlyOnce, entries);

describe('the checker of exactly-once writes', () => {
  test('accepts retries that are answered as the first was, whether the first was heard of or not', async () => {
    expect(await judged(story().sends('a').sends('a').loses('b', true).sends('b').reads())).toBe(
      'ok',
    );
    expect(await judged(story().loses('a', false).sends('b').reads())).toBe('ok');
  });

  test('rejects a request that was made twice, in its answers and in its versions', async () => {
    expect(await judged(story().sends('a').sends('a', 2).reads(['a', 'a']))).toBe(
      'tried: k: a was answered differently when it was sent again (2)',
    );
    expect(await judged(story().loses('a', true).sends('a').reads(['a', 'a']))).toBe(
      'tried: k: a was made twice (3)',
    );
    expect(await judged(story().loses('a', true).loses('a', true).reads(['a', 'a']))).toContain(
      'made twice',
    );
  });

  test('rejects a retry that is told another revision', async () => {
    expect(await judged(story().sends('a', 1, 10).sends('a', 1, 11).reads(['a']))).toContain(
      'differently',
    );
  });

  test('rejects an acknowledged request that is gone, or is another version than it was told', async () => {
    expect(await judged(story().sends('a').reads([]))).toContain('acknowledged as version 1');
    expect(await judged(story().sends('a').loses('b', true).reads(['b', 'a']))).toContain(
      'acknowledged as version 1',
    );
  });

  test('rejects two requests that were told the same version', async () => {
    expect(await judged(story().sends('a').sends('b', 1).reads(['a', 'b']))).toContain(
      'two requests made version 1 (2)',
    );
  });

  test('rejects a version that nobody asked for, and metadata that counts otherwise', async () => {
    expect(await judged(story().sends('a').reads(['a', 'x']))).toContain(
      'nobody sent the request of version 2',
    );
    expect(await judged(story().sends('a').reads(['a'], 2))).toContain(
      'metadata tells of 2 versions',
    );
  });

  test('proves nothing without the reading at the end', async () => {
    expect(await judged(story().sends('a'))).toBe('undecided');
  });

  test('accepts every honest history, and rejects it with a version doubled, dropped or swapped', async () => {
    const steps = fc.array(
      fc.record({ request: fc.nat(7), isAnswered: fc.boolean(), isMade: fc.boolean() }),
      { minLength: 2, maxLength: 30 },
    );
    const play = (plan: readonly { request: number; isAnswered: boolean; isMade: boolean }[]) => {
      const told = story().sends('first').sends('second');
      for (const { request, isAnswered, isMade } of plan)
        if (isAnswered) told.sends(`r${request}`);
        else told.loses(`r${request}`, isMade);
      return told;
    };
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const { made } = play(plan);
        expect(await judged(play(plan).reads())).toBe('ok');
        const [first = '', second = ''] = made;
        const corruptions = [[...made, first], made.slice(1), [second, first, ...made.slice(2)]];
        for (const bad of corruptions) expect(await judged(play(plan).reads(bad))).not.toBe('ok');
      }),
      { numRuns: 60 },
    );
  });
});
