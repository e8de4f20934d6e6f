import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hints } from '../../src/cli/errors/hints.ts';
import { createProgram } from '../../src/cli/index.ts';
import { normaliseFlags } from '../../src/cli/input/arguments.ts';
import { parseDuration } from '../../src/cli/input/durations.ts';
import { durationText } from '../../src/cli/output/times.ts';
import { processIo } from '../../src/cli/process-io.ts';
import { errorTable, StrongroomError } from '../../src/lib/index.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { run } from './fake-io.ts';

const program = createProgram(processIo(new AbortController().signal), { status: 0 });

function walk(
  command: Command,
  path: string,
): { readonly path: string; readonly command: Command }[] {
  const own = command.commands.length === 0 ? [{ path, command }] : [];
  return [...own, ...command.commands.flatMap((one) => walk(one, `${path} ${one.name()}`))];
}

const commands = walk(program, 'strongroom');

describe('docs/cli.md', () => {
  const page = readFileSync('docs/cli.md', 'utf8');

  it.each(commands.map(({ path }) => path))('names %s', (path) => {
    expect(page).toContain(`\`${path.replace(/^strongroom /, '')}`);
  });

  it('names every flag', () => {
    const flags = new Set(
      [program, ...commands.map(({ command }) => command)].flatMap((command) =>
        command.options.map((option) => option.long ?? ''),
      ),
    );
    for (const flag of flags) expect(page).toContain(flag);
  });

  it('names no command that is not there', () => {
    const known = new Set(commands.map(({ path }) => path.replace(/^strongroom /, '')));
    const named = [...page.matchAll(/^\| `([a-z][a-z -]*?)(?: [A-Z[@].*?)?`/gm)].map(
      (match) => match[1] ?? '',
    );
    expect(named.length).toBeGreaterThan(50);
    for (const name of named) expect(known).toContain(name);
  });
});

describe('the command line', () => {
  it('has no flag for a PIN, token or share itself', () => {
    const names = commands.flatMap(({ command }) =>
      command.options.map((option) => option.attributeName()),
    );
    for (const name of names)
      expect(name).not.toMatch(/^(?:pin|password|share|secret|joinToken|rootToken)$/i);
  });

  it('shows help of every command with status 0', async () => {
    for (const { path } of commands) {
      const { status, out } = await run([...path.split(' ').slice(1), '--help']);
      expect(status).toBe(0);
      expect(out).toContain(`Usage: ${path}`);
    }
  });

  it('gives hints only for codes that exist', () => {
    for (const code of Object.keys(hints)) expect(errorTable).toHaveProperty([code]);
  });

  it('takes long flags with one dash, and leaves values alone', () => {
    const written = (line: string) => normaliseFlags(line.split(' '), program).join(' ');
    expect(written('kv get -format=json -field a - -a x -- -format')).toBe(
      'kv get --format=json --field a - -a x -- -format',
    );
    expect(written('kv put s/a key=-orphan=true')).toBe('kv put s/a key=-orphan=true');
  });

  it.each([
    ['-orphan=true', '--orphan'],
    ['-orphan=false', ''],
    ['-renewable=false', '--no-renewable'],
    ['-renewable=true', ''],
    ['-no-default-policy=true', '--no-default-policy'],
    ['-ns=a/b', '--namespace=a/b'],
    ['-num-uses 3', '--use-limit 3'],
    ['-cas-required s/a', '--cas-required=true s/a'],
    ['-cas-required', '--cas-required=true'],
    ['-cas-required false s/a', '--cas-required false s/a'],
    ['-cas-required=false s/a', '--cas-required=false s/a'],
    ['-description=true', '--description=true'],
  ])('takes %s as vault does', (given, taken) => {
    expect(normaliseFlags(given.split(' '), program).join(' ')).toBe(taken);
  });

  it('answers whoever asks for help or its version, however that is asked', async () => {
    for (const args of [['-v'], ['-version'], ['--version'], ['version']]) {
      expect(await run(args)).toMatchObject({
        status: 0,
        out: expect.stringMatching(/^Strongroom /),
      });
    }
    const { status, out } = await run(['help', 'kv', 'put']);
    expect([status, out]).toEqual([0, expect.stringContaining('Usage: strongroom kv put')]);
    expect((await run(['help'])).out).toContain('Usage: strongroom ');
  });

  it('refuses a format of the environment that there is not', async () => {
    const env = { STRONGROOM_FORMAT: 'xml' };
    const { status, err } = await run(['version'], {}, { env });
    expect([status, err]).toEqual([1, expect.stringContaining('table, json, yaml')]);
  });

  it('says what to do next when it is not understood, to programs too', async () => {
    const { status, err } = await run(['kv', 'put']);
    expect(status).toBe(1);
    expect(err).toContain(`"strongroom kv put": missing required argument 'path'`);
    expect(err).toContain('Code:  cli.usage');
    expect(err).toContain('Next:  "strongroom kv put --help"');
    const json = JSON.parse((await run(['kv', 'gte', 'x', '-format=json'])).err);
    expect(json.error.code).toBe('cli.usage');
    expect(json.error.message).toContain('Did you mean get?');
    expect(json.error.next).toContain('strongroom kv --help');
    expect((await run(['read', 'secret/a'])).err).toContain('strongroom kv get');
    expect((await run(['operator', 'rekey'])).err).toContain('operator rotate kek');
    expect((await run(['server', '-dev'])).err).toContain('strongroom up');
  });
});

describe('durations', () => {
  it('are read back as they are written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 0, max: 23 }),
        (days, hours) => {
          const ms = days * 86_400_000 + hours * 3_600_000;
          expect(parseDuration(durationText(ms))).toBe(ms);
        },
      ),
    );
  });

  it('are seconds without a unit, and refused when they are none', () => {
    expect(parseDuration('90')).toBe(90_000);
    expect(parseDuration('1m30s')).toBe(90_000);
    expect(parseDuration('250ms')).toBe(250);
    expect(parseDuration('1.5h')).toBe(5_400_000);
    expect(parseDuration('2000us')).toBe(2);
    for (const bad of ['', '1x', '-1s', '1.5', '.5h', '1.h', 'h', ' 1s']) {
      expect(() => parseDuration(bad)).toThrow(StrongroomError);
    }
  });
});

describe('completion', () => {
  it('completes commands and flags in bash', async () => {
    const { out } = await run(['completion', 'bash']);
    const script = join(temporaryFolder(), 'completion.sh');
    writeFileSync(script, out);
    const complete = (...words: readonly string[]) => {
      const call = `source ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _strongroom; echo "\${COMPREPLY[*]}"`;
      return spawnSync('bash', ['-c', call], { encoding: 'utf8' }).stdout.trim().split(' ');
    };
    expect(complete('strongroom', 'operator', 'members', 'pro')).toEqual(['promote']);
    expect(complete('strongroom', 'kv', '')).toContain('undelete');
    expect(complete('strongroom', '--format', 'json', 'kv', 'get', '--fi')).toEqual(['--field']);
    expect(complete('strongroom', 'st')).toEqual(['status']);
    expect(complete('strongroom', 'operator', 'raft', 'list')).toEqual(['list-peers']);
  });

  it('speaks zsh and fish too', async () => {
    expect((await run(['completion', 'zsh'])).out).toContain('bashcompinit');
    const fish = await run(['completion', 'fish']);
    expect(fish.out).toContain("-n '__fish_use_subcommand' -a kv");
    expect((await run(['completion', 'tcsh'])).status).toBe(1);
  });
});
