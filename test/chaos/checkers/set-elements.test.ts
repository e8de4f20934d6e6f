import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type SetInput,
  type SetOutput,
  setElements,
} from '../../../chaos/checkers/set-elements.ts';
import type { Entry } from '../../../chaos/history/history.ts';
import { Scribe, verdict } from './evidence.ts';

const change = (kind: 'add' | 'remove', element: string): SetInput => ({
  kind,
  set: 's',
  element,
});
const read: SetInput = { kind: 'read', set: 's' };

/** A set, as it would be in a cluster without faults; each step is one revision. */
class Story extends Scribe<SetInput, SetOutput> {
  revision = 0;
  readonly there = new Set<string>();
  /** May be taken away at any time. */
  readonly doomed = new Set<string>();

  done(kind: 'add' | 'remove', element: string): this {
    this.there[kind === 'add' ? 'add' : 'delete'](element);
    const output = { kind: 'done', revision: ++this.revision } as const;
    return this.ok(0, 'write', change(kind, element), output);
  }

  unknown(kind: 'add' | 'remove', element: string): this {
    if (kind === 'remove') this.doomed.add(element);
    return this.maybe(0, 'write', change(kind, element));
  }

  sees(...elements: string[]): this {
    return this.ok(1, 'read', read, { kind: 'elements', elements, revision: this.revision });
  }
}

const story = () => new Story();
const judged = ({ entries }: Story) => verdict(setElements, entries);

describe('the checker of sets', () => {
  test('accepts what one set would tell, with unknown outcomes either way', async () => {
    expect(await judged(story().done('add', 'a').sees('a').done('remove', 'a').sees())).toBe('ok');
    expect(await judged(story().unknown('add', 'a').sees())).toBe('ok');
    expect(await judged(story().unknown('add', 'a').sees().sees('a').sees('a'))).toBe('ok');
    expect(
      await judged(story().done('add', 'a').unknown('remove', 'a').sees('a').sees().sees()),
    ).toBe('ok');
  });

  test('rejects an acknowledged element that a later read misses, with the two that show it', async () => {
    const told = await judged(story().done('add', 'b').sees('b').done('add', 'a').sees('b'));
    expect(told).toBe('tried: s: a is lost (2)');
  });

  test('rejects an element of unknown outcome that was seen and is gone', async () => {
    expect(await judged(story().unknown('add', 'a').sees('a').sees())).toBe(
      'tried: s: a is lost (3)',
    );
  });

  test('rejects an element that is told twice', async () => {
    expect(await judged(story().done('add', 'a').sees('a', 'a'))).toContain('twice (1)');
  });

  test('rejects an addition that finds its element there: it was made twice', async () => {
    const twice = story().ok(0, 'write', change('add', 'a'), { kind: 'there' });
    expect(await judged(twice)).toContain('was there before');
  });

  test('rejects an element that comes back after its removal', async () => {
    const sure = story().done('add', 'a').done('remove', 'a').sees('a');
    expect(await judged(sure)).toBe('tried: s: a was removed and came back (3)');
    const unsure = story().done('add', 'a').unknown('remove', 'a').sees().sees('a');
    expect(await judged(unsure)).toBe('tried: s: a was gone and came back (4)');
  });

  test('rejects an element out of nowhere, and one that is read before it was added', async () => {
    expect(await judged(story().sees('x'))).toContain('x was never added');
    expect(await judged(story().sees('a').done('add', 'a'))).toContain('before it was added');
  });

  test('rejects a read whose revision holds an addition that it lacks', async () => {
    const overlapping: Entry<SetInput, SetOutput>[] = [
      {
        client: 0,
        effect: 'write',
        input: change('add', 'a'),
        calledAt: 0,
        returnedAt: 50,
        outcome: 'ok',
        output: { kind: 'done', revision: 7 },
      },
      {
        client: 1,
        effect: 'read',
        input: read,
        calledAt: 10,
        returnedAt: 20,
        outcome: 'ok',
        output: { kind: 'elements', elements: [], revision: 7 },
      },
    ];
    expect(await verdict(setElements, overlapping)).toContain('a is lost');
    const [add, late] = overlapping;
    const before = { ...late, output: { kind: 'elements', elements: [], revision: 6 } };
    expect(await verdict(setElements, [add, before] as Entry[])).toBe('ok');
  });

  test('proves nothing without a read', async () => {
    expect(await judged(story().done('add', 'a'))).toBe('undecided');
    expect(await verdict(setElements, [])).toBe('undecided');
  });

  test('accepts every history of one set, and rejects it when a read loses or gains an element', async () => {
    const steps = fc.array(
      fc.record({ kind: fc.constantFrom('add', 'remove', 'read'), known: fc.boolean() }),
      { minLength: 3, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (plan, pick) => {
        const told = play(plan);
        if ((await judged(told)) === 'undecided') return;
        expect(await judged(told)).toBe('ok');
        const sure = [...told.there].filter((one) => !told.doomed.has(one));
        const last = sure[pick % Math.max(1, sure.length)];
        const without = [...told.there].filter((one) => one !== last);
        const lossy = play(plan);
        lossy.sees(...lossy.there).sees(...without);
        expect(await judged(lossy)).toContain(last === undefined ? 'ok' : 'is lost');
        const haunted = play(plan);
        haunted.sees(...haunted.there, 'ghost');
        expect(await judged(haunted)).toContain('never added');
      }),
      { numRuns: 60 },
    );
  });
});

/** Unknown outcomes happen, or do not, by turns. */
function play(plan: readonly { readonly kind: string; readonly known: boolean }[]): Story {
  const told = story();
  const removed = new Set<string>();
  plan.forEach(({ kind, known }, at) => {
    const victim = [...told.there].find((one) => !removed.has(one) && !one.startsWith('maybe'));
    if (kind === 'read') told.sees(...told.there);
    else if (kind === 'add') {
      const element = known ? `e${at}` : `maybe${at}`;
      if (known) told.done('add', element);
      else {
        told.unknown('add', element);
        if (at % 2 === 0) told.there.add(element);
      }
    } else if (victim !== undefined) {
      removed.add(victim);
      if (known) told.done('remove', victim);
      else {
        told.unknown('remove', victim);
        if (at % 2 === 0) told.there.delete(victim);
      }
    }
  });
  return told;
}
