import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ToldChange,
  type WatchInput,
  type WatchOutput,
  watchComplete,
} from '../../../chaos/checkers/watch-complete.ts';
import { Scribe, verdict } from './evidence.ts';

/** One writer (0) and watchers (10 and up), each told the changes after where it is. */
class Story extends Scribe<WatchInput, WatchOutput> {
  readonly changes: ToldChange[] = [];
  revision = 0;
  readonly told = new Map<number, number>();

  puts(path: string): this {
    const change = this.#make(path);
    const { version, revision } = change;
    return this.ok(0, 'write', { kind: 'put', path }, { kind: 'changed', version, revision });
  }

  /** Of unknown outcome; made. */
  makes(path: string): this {
    this.#make(path);
    return this.maybe(0, 'write', { kind: 'put', path });
  }

  lists(watcher: number): this {
    this.told.set(watcher, this.revision);
    return this.ok(watcher, 'read', { kind: 'list' }, { kind: 'listed', revision: this.revision });
  }

  /** A batch with all changes after the last, up to now, changed as the test wants it. */
  hears(
    watcher: number,
    change: (events: readonly ToldChange[]) => readonly ToldChange[] = (all) => all,
  ): this {
    const after = this.told.get(watcher) ?? 0;
    const events = change(this.changes.filter((one) => one.revision > after));
    this.told.set(watcher, this.revision);
    const output = { kind: 'told', events, revision: this.revision } as const;
    return this.ok(watcher, 'told', { kind: 'watch', after }, output);
  }

  isCompacted(watcher: number, floor: number): this {
    const after = this.told.get(watcher) ?? 0;
    return this.ok(watcher, 'told', { kind: 'watch', after }, { kind: 'compacted', floor });
  }

  #make(path: string): ToldChange {
    const version = this.changes.filter((one) => one.path === path).length + 1;
    const change = { kind: 'put', path, version, revision: ++this.revision };
    this.changes.push(change);
    return change;
  }
}

const story = () => new Story();
const judged = ({ entries }: Story) => verdict(watchComplete, entries);

describe('the checker of watches', () => {
  test('accepts what is told in order, over several batches, with unknown changes', async () => {
    const told = story().lists(10).puts('a').makes('b').hears(10).puts('a').hears(10);
    expect(await judged(told)).toBe('ok');
  });

  test('rejects a change that is missing from the middle, with the change and the batch past it', async () => {
    const told = story()
      .lists(10)
      .puts('a')
      .puts('b')
      .puts('c')
      .hears(10, ([a, , c]) => [a, c] as ToldChange[]);
    expect(await judged(told)).toBe(
      'tried: watcher 10 was not told of the put of b at revision 2 (2)',
    );
  });

  test('rejects a change of unknown outcome that only one of two watchers was told', async () => {
    const told = story()
      .lists(10)
      .lists(11)
      .makes('a')
      .hears(10)
      .hears(11, () => []);
    expect(await judged(told)).toContain('watcher 11 was not told of the put of a');
  });

  test('rejects what is told twice, or out of order', async () => {
    const twice = story()
      .lists(10)
      .puts('a')
      .hears(10)
      .puts('b')
      .hears(10, (events) => [{ kind: 'put', path: 'a', version: 1, revision: 1 }, ...events]);
    expect(await judged(twice)).toContain('twice, or out of order');
    const reversed = story()
      .lists(10)
      .puts('a')
      .puts('b')
      .hears(10, (events) => [...events].reverse());
    expect(await judged(reversed)).toContain('twice, or out of order');
  });

  test('rejects what nobody did, and what was done otherwise', async () => {
    const invented = story()
      .lists(10)
      .puts('a')
      .hears(10, (events) => [...events, { kind: 'put', path: 'x', version: 1, revision: 2 }]);
    invented.revision = 2;
    expect(await judged(invented)).toContain('may resume at 1');
    const ghost = story().lists(10).puts('a');
    ghost.revision = 2;
    ghost.hears(10, (events) => [...events, { kind: 'put', path: 'x', version: 1, revision: 2 }]);
    expect(await judged(ghost)).toContain('revision 2 was told, which nobody made');
    const changed = story()
      .lists(10)
      .puts('a')
      .hears(10, ([a]) => [{ ...(a as ToldChange), version: 9 }]);
    expect(await judged(changed)).toContain('two tell of revision 1 differently');
  });

  test('rejects one unknown change that is told as two', async () => {
    const told = story()
      .lists(10)
      .makes('a')
      .hears(10, ([a]) => [a as ToldChange]);
    told.revision = 2;
    told.hears(10, () => [{ kind: 'put', path: 'a', version: 2, revision: 2 }]);
    expect(await judged(told)).toContain('which nobody made');
  });

  test('rejects a watcher that hears nothing to the end', async () => {
    const told = story().lists(10).puts('a').hears(10).puts('b');
    expect(await judged(told)).toContain('told nothing after revision 1');
  });

  test('accepts compaction of what was not told, and rejects it of what is kept', async () => {
    const gap = story().lists(10).puts('a').hears(10).puts('b').isCompacted(10, 2).lists(10);
    expect(await judged(gap.puts('c').hears(10))).toBe('ok');
    const wrong = story().lists(10).puts('a').hears(10).isCompacted(10, 1);
    expect(await judged(wrong)).toContain('refused as compacted');
  });

  test('proves nothing when nobody was told anything', async () => {
    expect(await judged(story().puts('a'))).toBe('undecided');
  });

  test('accepts every honest stream, and rejects it when one event is dropped, doubled or moved', async () => {
    const steps = fc.array(fc.constantFrom('put', 'unknown', 'hear 10', 'hear 11'), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (plan, pick) => {
        const honest = play(plan).hears(10).hears(11);
        if (honest.changes.length === 0) return;
        expect(await judged(honest)).toBe('ok');
        const at = pick % 3;
        const corruptions = [
          (events: readonly ToldChange[]) => events.filter((_, index) => index !== at),
          (events: readonly ToldChange[]) =>
            events.flatMap((one, index) => (index === at ? [one, one] : [one])),
          (events: readonly ToldChange[]) => [...events.slice(at + 1), ...events.slice(0, at + 1)],
        ];
        for (const corrupt of corruptions) {
          const bad = play(plan)
            .puts('a')
            .puts('b')
            .puts('c')
            .puts('d')
            .hears(10, corrupt)
            .hears(11);
          expect(await judged(bad)).not.toBe('ok');
        }
      }),
      { numRuns: 60 },
    );
  });
});

function play(plan: readonly string[]): Story {
  const told = story().lists(10).lists(11);
  plan.forEach((what, at) => {
    const path = `p${at % 3}`;
    if (what === 'put') told.puts(path);
    else if (what === 'unknown') told.makes(path);
    else told.hears(what === 'hear 10' ? 10 : 11);
  });
  // What 10 hears next are the four changes that come.
  return told.hears(10);
}
