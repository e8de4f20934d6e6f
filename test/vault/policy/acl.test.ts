import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Capability } from '../../../src/vault/index.ts';
import { Acl } from '../../../src/vault/policy/acl.ts';
import type { PolicyRule } from '../../../src/vault/policy/policy-rule.ts';

const segment = fc.constantFrom('a', 'b', 'ab', 'c');
const plain = fc.array(segment, { minLength: 1, maxLength: 4 }).map((all) => all.join('/'));
const pattern = fc
  .tuple(
    fc.array(fc.oneof(segment, fc.constant('+')), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '*', '/*', '/'),
  )
  .map(([all, end]) => all.join('/') + end)
  // "+*" is refused when a policy is written.
  .filter((path) => !path.includes('+*'));
const capability = fc.constantFrom<Capability>('read', 'create', 'update', 'list', 'sudo', 'deny');
const rule: fc.Arbitrary<PolicyRule> = fc.record({
  path: pattern,
  capabilities: fc.uniqueArray(capability, { minLength: 1, maxLength: 3 }),
});
const policies = fc.array(fc.array(rule, { maxLength: 6 }), { minLength: 1, maxLength: 3 });
const asked = fc.tuple(plain, fc.constantFrom('', '/')).map(([path, end]) => path + end);

/** The rules of Vault’s documentation, word for word, looked at one by one. */
function naive(all: readonly PolicyRule[], path: string, wanted: Capability): boolean {
  const winner = decide(all, path, wanted === 'list');
  if (winner === undefined) return false;
  const said = new Set(all.filter((one) => one.path === winner).flatMap((one) => one.capabilities));
  return said.has(wanted) && !said.has('deny');
}

function decide(all: readonly PolicyRule[], path: string, isList: boolean): string | undefined {
  const paths = [...new Set(all.map((one) => one.path))];
  const isExact = (rule: string) => !rule.endsWith('*') && !rule.split('/').includes('+');
  const bare = isList && path.endsWith('/') ? path.slice(0, -1) : path;
  for (const candidate of [path, bare]) {
    if (paths.some((one) => one === candidate && isExact(one))) return candidate;
  }
  for (const candidate of [path, bare]) {
    const matching = paths.filter((one) => !isExact(one) && regex(one).test(candidate));
    if (matching.length > 0) return matching.reduce((a, b) => (beats(a, b) ? a : b));
  }
  return undefined;
}

function regex(rule: string): RegExp {
  const isGlob = rule.endsWith('*');
  const body = (isGlob ? rule.slice(0, -1) : rule)
    .split('/')
    .map((part) => (part === '+' ? '[^/]*' : part))
    .join('/');
  return new RegExp(`^${body}${isGlob ? '.*' : ''}$`);
}

function beats(a: string, b: string): boolean {
  const first = (rule: string) => {
    const at = rule.search(/(?:^|(?<=\/))\+(?=\/|$)|\*$/);
    return at === -1 ? rule.length : at;
  };
  const pluses = (rule: string) => rule.split('/').filter((part) => part === '+').length;
  if (first(a) !== first(b)) return first(a) > first(b);
  if (a.endsWith('*') !== b.endsWith('*')) return b.endsWith('*');
  if (pluses(a) !== pluses(b)) return pluses(a) < pluses(b);
  if (a.length !== b.length) return a.length > b.length;
  return a > b;
}

const may = (acl: Acl, path: string, wanted: Capability, parameters: object = {}) =>
  acl.allows({
    path,
    capability: wanted,
    sudo: false,
    parameters: () => parameters as Record<string, unknown>,
  });

describe('rules of policies', () => {
  it('decide as a model that looks at them one by one', () => {
    fc.assert(
      fc.property(policies, asked, capability, (all, path, wanted) => {
        expect(may(Acl.of(all), path, wanted)).toBe(naive(all.flat(), path, wanted));
      }),
      { numRuns: 20_000 },
    );
  });

  it('do not hang on the order of policies or of rules', () => {
    fc.assert(
      fc.property(policies, asked, capability, (all, path, wanted) => {
        const turned = all.map((one) => one.toReversed()).toReversed();
        expect(may(Acl.of(turned), path, wanted)).toBe(may(Acl.of(all), path, wanted));
      }),
      { numRuns: 2_000 },
    );
  });

  it('allow nothing that no rule names', () => {
    expect(may(Acl.of([]), 'a', 'read')).toBe(false);
    expect(may(Acl.of([[{ path: 'a', capabilities: [] }]]), 'a', 'read')).toBe(false);
    expect(may(Acl.root, 'anything', 'sudo')).toBe(true);
  });

  it('do not merge: a longer prefix hides a shorter one', () => {
    const acl = Acl.of([
      [
        { path: 'a/*', capabilities: ['read', 'update'] },
        { path: 'a/b/*', capabilities: ['list'] },
      ],
    ]);
    expect(may(acl, 'a/x', 'read')).toBe(true);
    expect(may(acl, 'a/b/x', 'read')).toBe(false);
    expect(acl.decidingRule('a/b/x', 'read')).toBe('a/b/*');
  });

  it('ask for sudo beside the capability', () => {
    const question = {
      path: 'a',
      capability: 'update',
      sudo: true,
      parameters: () => ({}),
    } as const;
    const without = Acl.of([[{ path: 'a', capabilities: ['update'] }]]);
    const withSudo = Acl.of([[{ path: 'a', capabilities: ['update', 'sudo'] }]]);
    expect([without.allows(question), withSudo.allows(question)]).toEqual([false, true]);
  });

  it('with a template, or for wrapped answers only, match nothing here', () => {
    const acl = Acl.of([
      [
        { path: 'a/{{identity.entity.id}}', capabilities: ['read'], templated: true },
        { path: 'b', capabilities: ['read'], wrappedOnly: true },
      ],
    ]);
    expect(may(acl, 'a/{{identity.entity.id}}', 'read')).toBe(false);
    expect(may(acl, 'b', 'read')).toBe(false);
  });
});

describe('parameter rules', () => {
  const acl = (limits: object, ...more: object[]) =>
    Acl.of(
      [limits, ...more].map((one) => [
        { path: 'a', capabilities: ['update'], ...one } as PolicyRule,
      ]),
    );
  const cases: readonly (readonly [string, Acl, object, boolean])[] = [
    ['required and given', acl({ requiredParameters: ['x'] }), { x: 1 }, true],
    ['required and missing', acl({ requiredParameters: ['x'] }), {}, false],
    ['allowed with any value', acl({ allowedParameters: { x: [] } }), { x: 'q' }, true],
    ['not among the allowed', acl({ allowedParameters: { x: [] } }), { y: 1 }, false],
    ['not among the allowed values', acl({ allowedParameters: { x: ['p'] } }), { x: 'q' }, false],
    ['allowed by a glob', acl({ allowedParameters: { x: ['p-*'] } }), { x: 'p-1' }, true],
    ['others allowed', acl({ allowedParameters: { x: ['p'], '*': [] } }), { y: 1 }, true],
    ['denied', acl({ deniedParameters: { x: [] } }), { x: 1 }, false],
    ['denied by value', acl({ deniedParameters: { x: ['*bad'] } }), { x: 'so bad' }, false],
    ['denied another value', acl({ deniedParameters: { x: ['bad'] } }), { x: 'good' }, true],
    ['denied all', acl({ deniedParameters: { '*': [] } }), { y: 1 }, false],
    ['denied all but none given', acl({ deniedParameters: { '*': [] } }), {}, true],
    ['in another case', acl({ deniedParameters: { x: [] } }), { X: 1 }, false],
    ['equal as a whole', acl({ allowedParameters: { x: [['a', 1]] } }), { x: ['a', 1] }, true],
    [
      'lists of two policies add up',
      acl({ allowedParameters: { x: ['p'] } }, { allowedParameters: { x: ['q'] } }),
      { x: 'p' },
      true,
    ],
    [
      'an empty list of one policy wins',
      acl({ allowedParameters: { x: ['p'] } }, { allowedParameters: { x: [] } }),
      { x: 'z' },
      true,
    ],
    [
      'required by either',
      acl({ requiredParameters: ['x'] }, { requiredParameters: ['y'] }),
      { x: 1 },
      false,
    ],
  ];
  it.each(cases)('%s', (_what, rules, parameters, expected) => {
    expect(may(rules, 'a', 'update', parameters)).toBe(expected);
  });

  it('do not concern deletes and lists', () => {
    const rules = Acl.of([
      [{ path: 'a', capabilities: ['delete', 'list'], requiredParameters: ['x'] }],
    ]);
    expect([may(rules, 'a', 'delete'), may(rules, 'a', 'list')]).toEqual([true, true]);
  });
});
