import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type TokenInput,
  type TokenOutput,
  tokenLifetimes,
} from '../../../chaos/checkers/token-lifetimes.ts';
import { Scribe, verdict } from './evidence.ts';

const bounds = { staleness: 1_000, slack: 100 };

interface Wanted {
  readonly parent?: string;
  readonly ttlMs?: number;
  readonly uses?: number;
}

class Story extends Scribe<TokenInput, TokenOutput> {
  makes(token: string, { parent, ttlMs = 3_600_000, uses = 0 }: Wanted = {}): this {
    const input = { kind: 'create', token, parent, ttlMs, uses } as const;
    return this.ok(0, 'write', input, { kind: 'made' });
  }

  revokes(token: string): this {
    return this.ok(0, 'write', { kind: 'revoke', token }, { kind: 'revoked' });
  }

  mayRevoke(token: string): this {
    return this.maybe(0, 'write', { kind: 'revoke', token });
  }

  use(
    token: string,
    kind: 'used' | 'denied',
    wants: 'linearizable' | 'stale' = 'linearizable',
  ): this {
    return this.ok(1, 'read', { kind: 'use', token, node: 'n', wants }, { kind });
  }

  trespass(token: string, kind: 'trespassed' | 'denied'): this {
    return this.ok(1, 'read', { kind: 'trespass', token, node: 'n' }, { kind });
  }

  mayUse(token: string): this {
    return this.maybe(1, 'read', { kind: 'use', token, node: 'n', wants: 'linearizable' });
  }
}

const story = () => new Story();
const judged = ({ entries }: Story) => verdict(tokenLifetimes, entries, bounds);

describe('the checker of token lifetimes', () => {
  test('accepts a life with a revocation, and a stale node that honours it for a while', async () => {
    const told = story().makes('a').use('a', 'used').revokes('a').use('a', 'denied');
    expect(await judged(told.use('a', 'used', 'stale'))).toBe('ok');
  });

  test('rejects a use after the acknowledged revocation, with the three that show it', async () => {
    const told = story().makes('a').use('a', 'used').revokes('a').use('a', 'used');
    expect(await judged(told)).toBe('tried: a was used at n after it was revoked (3)');
  });

  test('rejects that a token is let in to what it may not, and takes no refusal of that for its end', async () => {
    const told = story().makes('a').trespass('a', 'denied').use('a', 'used');
    expect(await judged(told)).toBe('ok');
    expect(await judged(told.trespass('a', 'trespassed'))).toBe(
      'tried: a was let in at n to what its policies do not allow (2)',
    );
  });

  test('rejects a stale use beyond the staleness bound', async () => {
    const told = story().makes('a').revokes('a').wait(1_100).use('a', 'used', 'stale');
    expect(await judged(told)).toContain('after it was revoked');
    const within = story().makes('a').revokes('a').wait(900).use('a', 'used', 'stale');
    expect(await judged(within)).toBe('ok');
  });

  test('rejects a child or grandchild that outlives its parent', async () => {
    const family = () => story().makes('a').makes('b', { parent: 'a' }).makes('c', { parent: 'b' });
    expect(await judged(family().use('c', 'used').revokes('a').use('c', 'denied'))).toBe('ok');
    expect(await judged(family().revokes('a').use('c', 'used'))).toContain(
      'c was used at n after its ancestor a was revoked',
    );
    expect(await judged(family().revokes('c').use('b', 'denied').use('a', 'used'))).toContain(
      'b was refused at n before its end',
    );
  });

  test('rejects a token that is refused before its end, and accepts it after a revocation that may have been made', async () => {
    expect(await judged(story().makes('a').use('a', 'used').use('a', 'denied'))).toBe(
      'tried: a was refused at n before its end (2)',
    );
    expect(
      await judged(story().makes('a').use('a', 'used').mayRevoke('a').use('a', 'denied')),
    ).toBe('ok');
  });

  test('rejects a token that comes back after a quorum has refused it', async () => {
    const told = story().makes('a').mayRevoke('a').use('a', 'denied').use('a', 'used');
    expect(await judged(told)).toBe('tried: a was refused and then honoured (2)');
  });

  test('rejects a use after its time, and a refusal before it', async () => {
    const life = () => story().makes('a', { ttlMs: 2_000 }).use('a', 'used');
    expect(await judged(life().wait(2_500).use('a', 'used'))).toContain('after its time');
    expect(await judged(life().wait(1_000).use('a', 'denied'))).toContain('before its end');
    expect(await judged(life().wait(2_500).use('a', 'denied'))).toBe('ok');
  });

  test('rejects one use too many, and a refusal before all uses can have been taken', async () => {
    const life = () => story().makes('a', { uses: 2 }).use('a', 'used');
    expect(await judged(life().use('a', 'used').use('a', 'denied'))).toBe('ok');
    expect(await judged(life().use('a', 'used').use('a', 'used'))).toContain(
      'was used 3 times (4)',
    );
    expect(await judged(life().use('a', 'denied'))).toContain('before its end');
    expect(await judged(life().mayUse('a').use('a', 'denied'))).toBe('ok');
  });

  test('proves nothing when no token was used', async () => {
    expect(await judged(story().makes('a').revokes('a'))).toBe('undecided');
  });

  test('accepts every honest life, and rejects it with one answer turned round', async () => {
    const steps = fc.array(
      fc.record({
        who: fc.nat(3),
        what: fc.constantFrom('use', 'use', 'child', 'revoke', 'unknown'),
      }),
      { minLength: 3, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (plan, pick) => {
        const told = story().makes('t').use('t', 'used');
        const dead = new Set<string>();
        const parents = new Map<string, string>();
        const isDead = (name: string | undefined): boolean =>
          name !== undefined && (dead.has(name) || isDead(parents.get(name)));
        plan.forEach(({ who, what }, at) => {
          const names = ['t', ...parents.keys()];
          const name = names[who % names.length] ?? 't';
          if (what === 'use') told.use(name, isDead(name) ? 'denied' : 'used');
          else if (what === 'child' && !isDead(name)) {
            parents.set(`c${at}`, name);
            told.makes(`c${at}`, { parent: name });
          } else if (what === 'revoke') {
            dead.add(name);
            told.revokes(name);
          } else if (what === 'unknown' && at % 2 === 0) {
            dead.add(name);
            told.mayRevoke(name);
          }
        });
        expect(await judged(told)).toBe('ok');
        const isCertain = (name: string | undefined): boolean =>
          name === undefined ||
          (!told.entries.some(
            ({ input, outcome }) =>
              input.kind === 'revoke' && input.token === name && outcome === 'maybe',
          ) &&
            isCertain(parents.get(name)));
        const uses = told.entries.filter(
          ({ input }) => input.kind === 'use' && isCertain(input.token),
        );
        const victim = uses[pick % Math.max(1, uses.length)];
        if (victim === undefined) return;
        const kind = victim.output?.kind === 'used' ? 'denied' : 'used';
        const turned = told.entries.map((one) =>
          one === victim ? { ...one, output: { kind } } : one,
        );
        // The only use, refused, leaves nothing that works: nothing is proved then.
        expect(await verdict(tokenLifetimes, turned as typeof told.entries, bounds)).not.toBe('ok');
      }),
      { numRuns: 80 },
    );
  });
});
