import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listAppend } from '../../../chaos/checkers/list-append.ts';
import type { ListInput, ListOutput } from '../../../chaos/checkers/list-entries.ts';
import { Graph } from '../../../chaos/checkers/shortest-cycle.ts';
import type { Entry } from '../../../chaos/history/history.ts';
import { Scribe, verdict } from './evidence.ts';

/** Lists as they would be without faults; each append is one revision. */
class Story extends Scribe<ListInput, ListOutput> {
  revision = 0;
  readonly lists = new Map<string, string[]>();

  list(key: string): string[] {
    const list = this.lists.get(key) ?? [];
    this.lists.set(key, list);
    return list;
  }

  appends(key: string, element: string, length = this.list(key).length + 1): this {
    this.list(key).push(element);
    const output = { kind: 'appended', length, revision: ++this.revision } as const;
    return this.ok(0, 'write', { kind: 'append', key, element }, output);
  }

  unknown(key: string, element: string): this {
    return this.maybe(0, 'write', { kind: 'append', key, element });
  }

  reads(key: string, elements = this.list(key), revision = this.revision): this {
    const output = { kind: 'list', elements: [...elements], revision } as const;
    return this.ok(1, 'read', { kind: 'read', key }, output);
  }
}

const story = () => new Story();
const judged = ({ entries }: Story) => verdict(listAppend, entries);

describe('the checker of append lists', () => {
  test('accepts what lists would tell, with unknown appends made, not made, and made late', async () => {
    expect(
      await judged(story().reads('k').appends('k', 'a').reads('k').appends('k', 'b').reads('k')),
    ).toBe('ok');
    expect(await judged(story().unknown('k', 'x').reads('k', []).reads('k', ['x']))).toBe('ok');
    expect(await judged(story().unknown('k', 'x').reads('k', []))).toBe('ok');
  });

  test('rejects reads that disagree on the order', async () => {
    const told = story()
      .unknown('k', 'a')
      .unknown('k', 'b')
      .reads('k', ['a', 'b'])
      .reads('k', ['b']);
    expect(await judged(told)).toBe('tried: k: two reads disagree on element 0 (2)');
  });

  test('rejects an acknowledged append that the last read lacks, though others were made after it', async () => {
    expect(await judged(story().appends('k', 'a').reads('k', []))).toBe('tried: k: a is lost (2)');
    const other = story().appends('k', 'a').unknown('k', 'b').reads('k', ['b']);
    expect(await judged(other)).toContain('k: a is lost (2)');
  });

  test('rejects an element that is there twice, out of nowhere, or before it was appended', async () => {
    expect(await judged(story().unknown('k', 'a').reads('k', ['a', 'a']))).toContain('twice');
    expect(await judged(story().reads('k', ['x']))).toContain('x was never appended');
    expect(await judged(story().reads('k', ['a']).unknown('k', 'a'))).toContain('before it was');
    const middle = story().unknown('k', 'b').reads('k', ['x', 'b']);
    expect(await judged(middle)).toContain('x was never appended');
  });

  test('rejects two appends that made the same element, and one that is elsewhere than was said', async () => {
    expect(await judged(story().appends('k', 'a', 1).appends('k', 'b', 1).reads('k'))).toContain(
      'two appends made element 1 (2)',
    );
    expect(await judged(story().appends('k', 'a', 2).reads('k', ['a']))).toContain('is element 1');
  });

  test('rejects a read that goes back to a shorter list, as a circle in time', async () => {
    const told = story().appends('k', 'a').appends('k', 'b').reads('k').reads('k', ['a'], 9);
    expect(await judged(told)).toContain('in a circle');
  });

  test('rejects what goes wrong only between two keys, by their revisions', async () => {
    // The read of q says revision 2 and lacks what revision 1 appended to it, while both are in flight.
    const entry = (
      client: number,
      input: ListInput,
      output: ListOutput,
    ): Entry<ListInput, ListOutput> => ({
      client,
      effect: input.kind === 'read' ? 'read' : 'write',
      input,
      calledAt: 0,
      returnedAt: 100,
      outcome: 'ok',
      output,
    });
    const history = (revision: number) => [
      entry(
        0,
        { kind: 'append', key: 'q', element: 'x' },
        { kind: 'appended', length: 1, revision: 1 },
      ),
      entry(
        1,
        { kind: 'append', key: 'p', element: 'y' },
        { kind: 'appended', length: 1, revision: 2 },
      ),
      entry(2, { kind: 'read', key: 'q' }, { kind: 'list', elements: [], revision }),
      entry(3, { kind: 'read', key: 'q' }, { kind: 'list', elements: ['x'], revision: 3 }),
    ];
    expect(await verdict(listAppend, history(2))).toContain('in a circle (2)');
    expect(await verdict(listAppend, history(0))).toBe('ok');
  });

  test('accepts every history of honest lists, and rejects each kind of corruption of a read', async () => {
    const steps = fc.array(
      fc.record({
        key: fc.constantFrom('p', 'q'),
        what: fc.constantFrom('append', 'lost', 'read'),
      }),
      { minLength: 4, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.constantFrom('drop', 'swap', 'alien', 'stale'),
        async (plan, how) => {
          const told = play(plan);
          expect(await judged(told)).toBe('ok');
          const list = [...told.list('p')];
          if (list.length < 2) return;
          const bad = {
            drop: list.slice(1),
            swap: [list[1] ?? '', list[0] ?? '', ...list.slice(2)],
            alien: [...list, 'alien'],
            stale: list.slice(0, -1),
          }[how];
          told.reads('p', bad).reads('q');
          expect(await judged(told)).not.toMatch(/^(ok|undecided)$/);
        },
      ),
      { numRuns: 80 },
    );
  });
});

describe('the shortest circle of a graph', () => {
  test('is none in a graph without one, and the smaller of two', () => {
    const graph = new Graph();
    const [a, b, c, d] = [graph.addNode(), graph.addNode(), graph.addNode(), graph.addNode()];
    graph.addEdge(a, b);
    graph.addEdge(b, c);
    expect(graph.shortestCycle()).toBeUndefined();
    graph.addEdge(c, a);
    expect(graph.shortestCycle()).toHaveLength(3);
    graph.addEdge(c, d);
    graph.addEdge(d, c);
    expect(new Set(graph.shortestCycle())).toEqual(new Set([c, d]));
  });
});

function play(plan: readonly { readonly key: string; readonly what: string }[]): Story {
  const told = story();
  plan.forEach(({ key, what }, at) => {
    if (what === 'append') told.appends(key, `e${at}`);
    else if (what === 'read') told.reads(key);
    else {
      told.unknown(key, `u${at}`);
      if (at % 2 === 0) {
        told.list(key).push(`u${at}`);
        told.revision++;
      }
    }
  });
  return told.reads('p').reads('q');
}
