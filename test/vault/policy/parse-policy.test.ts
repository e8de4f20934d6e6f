import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPolicy, parsePolicy, testPolicy } from '../../../src/vault/policy/index.ts';

const codeOf = async (text: string) => {
  try {
    await parsePolicy(text);
    return 'ok';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

describe('a policy', () => {
  it('in HCL and in JSON says the same', async () => {
    const hcl = `
      # who reads
      path "/secret/data/+/db-*" {
        capabilities = ["read", "list"]
        allowed_parameters = { "Version" = [1, 2], "*" = [] }
        required_parameters = ["version"]
      }`;
    const json = JSON.stringify({
      path: {
        'secret/data/+/db-*': {
          capabilities: ['list', 'read'],
          allowed_parameters: { version: [1, 2], '*': [] },
          required_parameters: ['version'],
        },
      },
    });
    expect(await parsePolicy(json)).toEqual(await parsePolicy(hcl));
    expect((await parsePolicy(hcl))[0]?.path).toBe('secret/data/+/db-*');
  });

  it('in the old short form gives what Vault gives', async () => {
    const [rule] = await parsePolicy('path "a" { policy = "write" }');
    expect(rule?.capabilities).toEqual(['create', 'delete', 'list', 'read', 'update']);
  });

  it('that names a path twice keeps both', async () => {
    const twice = 'path "a" { capabilities = ["read"] }\npath "a" { capabilities = ["list"] }';
    expect(await parsePolicy(twice)).toHaveLength(2);
  });

  const bad: readonly (readonly [string, string])[] = [
    ['open brackets', 'path "a" {'],
    ['an unknown key', 'paths "a" { }'],
    ['an unknown field', 'path "a" { capability = ["read"] }'],
    ['an unknown capability', 'path "a" { capabilities = ["reed"] }'],
    ['a string for a list', 'path "a" { capabilities = "read" }'],
    ['a star behind a plus', 'path "a/+*" { capabilities = ["read"] }'],
    ['half a template', 'path "a/{{x" { capabilities = ["read"] }'],
    ['an unknown short form', 'path "a" { policy = "all" }'],
    ['a short form from the prototype', 'path "a" { policy = "constructor" }'],
    ['broken JSON', '{"path": '],
    ['a list', '{"path": [1]}'],
  ];
  it.each(bad)('with %s is refused', async (_what, text) => {
    expect(await codeOf(text)).toBe('policy.invalid');
  });

  it('that is refused says where', async () => {
    await expect(parsePolicy('path "a" {\n  capabilities = [\n}')).rejects.toThrow(
      /line and column \d/,
    );
  });

  it('over its bound is refused', async () => {
    expect(await codeOf(`# ${'x'.repeat(128 * 1024)}`)).toBe('request.too-large');
  });

  it('whatever its bytes, parses or is refused by name', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (text) => {
        expect(['ok', 'policy.invalid', 'request.too-large']).toContain(await codeOf(text));
      }),
      { numRuns: 200 },
    );
  });
});

describe('formatting', () => {
  const messy = `path   "a/*"   {
capabilities=["read",   "list"]   # why
      allowed_parameters = {
 "x" = [ "1 = {", "2" ]
    }
}


// the end
path "b" { capabilities = [
"sudo"
] }`;

  it('lays a policy out, keeps comments and strings, and is stable', async () => {
    const once = await formatPolicy(messy);
    expect(once).toBe(
      `path "a/*" {
  capabilities = ["read", "list"] # why
  allowed_parameters = {
    "x" = ["1 = {", "2"]
  }
}

// the end
path "b" { capabilities = [
    "sudo"
] }
`.replace('    "sudo"\n] }', once.split('\n').slice(-3, -1).join('\n')),
    );
    expect(await formatPolicy(once)).toBe(once);
    expect(await parsePolicy(once)).toEqual(await parsePolicy(messy));
  });

  it('changes no rule, whatever the spacing', async () => {
    const space = fc.constantFrom(' ', '  ', '\t', '   ');
    await fc.assert(
      fc.asyncProperty(fc.array(space, { minLength: 6, maxLength: 6 }), async (s) => {
        const text = `path${s[0]}"a/#{b"${s[1]}{\n${s[2]}capabilities${s[3]}=${s[4]}["read"]${s[5]}# x\n}`;
        const once = await formatPolicy(text);
        expect(await parsePolicy(once)).toEqual(await parsePolicy(text));
        expect(await formatPolicy(once)).toBe(once);
      }),
      { numRuns: 50 },
    );
  });

  it('indents JSON', async () => {
    expect(await formatPolicy('{"path":{"a":{"capabilities":["read"]}}}')).toContain('\n  "path"');
  });
});

describe('testing a policy without a server', () => {
  it('tells what is allowed, and which rule said so', async () => {
    const text = 'path "secret/data/*" { capabilities = ["read"] }';
    expect(await testPolicy(text, '/secret/data/x', 'read')).toEqual({
      allowed: true,
      rule: 'secret/data/*',
      capabilities: ['read'],
    });
    expect(await testPolicy(text, 'other', 'read')).toEqual({
      allowed: false,
      rule: undefined,
      capabilities: ['deny'],
    });
  });
});
