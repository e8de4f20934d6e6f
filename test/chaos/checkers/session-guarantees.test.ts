import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type SessionInput,
  type SessionOutput,
  sessionGuarantees,
} from '../../../chaos/checkers/session-guarantees.ts';
import { Scribe, verdict } from './evidence.ts';

type Wants = Extract<SessionInput, { readonly kind: 'read' }>['wants'];

const session = { kind: 'session' } as const;
const bounded = (stalenessMs: number) => ({ kind: 'bounded', stalenessMs }) as const;
const atLeast = (revision: number) => ({ kind: 'at-least', revision }) as const;

/** Each client writes one secret; a replica tells the state of some revision. */
class Story extends Scribe<SessionInput, SessionOutput> {
  revision = 0;
  /** Of each key, its versions: the revision and the time at which it was acknowledged. */
  readonly versions = new Map<string, { revision: number; at: number }[]>();

  writes(client: number): this {
    const key = `k${client}`;
    const versions = this.versions.get(key) ?? [];
    const revision = ++this.revision;
    versions.push({ revision, at: this.now + 5 });
    this.versions.set(key, versions);
    const output = { version: versions.length, revision };
    return this.ok(client, 'write', { kind: 'write', key }, output);
  }

  reads(client: number, key: string, wants: Wants, version: number, revision: number): this {
    return this.ok(client, 'read', { kind: 'read', key, wants }, { version, revision });
  }

  /** As a replica tells it that has applied so much. */
  readsAt(client: number, key: string, wants: Wants, revision: number): this {
    const seen = (this.versions.get(key) ?? []).filter((one) => one.revision <= revision).length;
    return this.reads(client, key, wants, seen, seen === 0 ? 0 : revision);
  }
}

const story = () => new Story();
const judged = ({ entries }: Story) => verdict(sessionGuarantees, entries);

describe('the checker of sessions', () => {
  test('accepts a client that sees its own write at once and others later', async () => {
    const told = story().writes(0).writes(1).reads(0, 'k0', session, 1, 2);
    expect(await judged(told.reads(0, 'k1', bounded(60_000), 0, 1))).toBe('ok');
  });

  test('rejects a client that misses its own write', async () => {
    const told = await judged(story().writes(0).reads(0, 'k0', session, 0, 0));
    expect(told).toBe('tried: client 0 did not read its own write (2)');
    expect(await judged(story().writes(0).writes(0).reads(0, 'k0', session, 1, 1))).toContain(
      'own write (2)',
    );
  });

  test('rejects a client that goes back, in version or in revision', async () => {
    const told = story().writes(0).writes(0);
    told.reads(1, 'k0', session, 2, 2).reads(1, 'k0', session, 1, 1);
    expect(await judged(told)).toContain('went back');
    const other = story().writes(0).writes(2).reads(1, 'k2', session, 1, 2);
    expect(await judged(other.reads(1, 'k0', session, 1, 1))).toContain('older revision (2)');
  });

  test('rejects a bounded read that lacks what was acknowledged before its bound', async () => {
    const late = story().writes(0).wait(3_000).reads(1, 'k0', bounded(2_000), 0, 0);
    expect(await judged(late)).toBe('tried: a read is staler than the bound it asked for (2)');
    const fresh = story().writes(0).wait(1_000).reads(1, 'k0', bounded(2_000), 0, 0);
    expect(await judged(fresh)).toBe('ok');
  });

  test('rejects a bounded read of another key at an older revision than its bound allows', async () => {
    const told = story().writes(0).writes(2).wait(3_000).reads(1, 'k0', bounded(2_000), 1, 1);
    expect(await judged(told)).toContain('older revision than its bound allows (2)');
  });

  test('rejects a read that has not the revision it asked for', async () => {
    const told = story().writes(0).writes(0).reads(1, 'k0', atLeast(2), 1, 1);
    expect(await judged(told)).toContain('revision 1 and asked for 2 (1)');
    const none = story().writes(0).reads(1, 'k0', atLeast(1), 0, 0);
    expect(await judged(none)).toContain('lacks a write (2)'.replace(' (2)', ''));
  });

  test('rejects a read that lacks a write which its own revision holds', async () => {
    const told = story().writes(0).writes(0).reads(1, 'k0', bounded(60_000), 1, 2);
    expect(await judged(told)).toBe('tried: a read lacks a write that its revision holds (2)');
  });

  test('rejects a version that nobody can have written yet', async () => {
    const told = story().writes(0).reads(1, 'k0', session, 2, 5);
    expect(await judged(told)).toContain('version 2 of k0 was read before it was written');
    const unknown = story().writes(0).maybe(0, 'write', { kind: 'write', key: 'k0' });
    expect(await judged(unknown.reads(1, 'k0', session, 2, 5))).toBe('ok');
  });

  test('proves nothing without a read', async () => {
    expect(await judged(story().writes(0))).toBe('undecided');
  });

  test('accepts every history that replicas with some lag make, and rejects one stale answer', async () => {
    const steps = fc.array(
      fc.record({
        client: fc.nat(2),
        key: fc.nat(2),
        what: fc.constantFrom('write', 'session', 'bounded', 'at-least'),
        lag: fc.nat(10),
      }),
      { minLength: 5, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const told = play(plan);
        if ((await judged(told)) === 'undecided') return;
        expect(await judged(told)).toBe('ok');
        // One more write of each key, and then a reader who is told of the time before.
        for (const wants of [session, bounded(20), atLeast(told.revision + 1)] as const) {
          const bad = play(plan);
          const before = bad.revision;
          bad.writes(0).wait(100).readsAt(0, 'k0', wants, before);
          expect(await judged(bad)).not.toBe('ok');
        }
      }),
      { numRuns: 60 },
    );
  });
});

const BOUND_MS = 40;

function play(
  plan: readonly {
    readonly client: number;
    readonly key: number;
    readonly what: string;
    readonly lag: number;
  }[],
): Story {
  const told = story();
  const seen = [0, 0, 0];
  for (const { client, key, what, lag } of plan) {
    if (what === 'write') {
      told.writes(client);
      seen[client] = told.revision;
      continue;
    }
    const old = told.revision - lag;
    const fresh = [...told.versions.values()]
      .flat()
      .filter(({ at }) => at < told.now + 1 - BOUND_MS)
      .map(({ revision }) => revision);
    const asked = Math.floor(told.revision / 2);
    const [wants, least] = {
      session: [session, seen[client] ?? 0] as const,
      bounded: [bounded(BOUND_MS), Math.max(0, ...fresh)] as const,
      'at-least': [atLeast(asked), asked] as const,
    }[what as 'session' | 'bounded' | 'at-least'];
    const revision = Math.max(old, least, 0);
    told.readsAt(client, `k${key}`, wants, revision);
    const isTold = told.entries.at(-1)?.output?.revision ?? 0;
    seen[client] = Math.max(seen[client] ?? 0, isTold);
  }
  return told;
}
