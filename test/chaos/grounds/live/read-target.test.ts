import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newFolder, staging, targetOf } from '../../target-files.ts';

let folder = '';
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hooks = `hooks:
  process.kill:
    inject: [ssh, "{host}", systemctl, kill, -s, KILL, strongroom]
    heal: [ssh, "{host}", systemctl, start, strongroom]
`;

test('a target says which cluster, what is allowed within which bounds, and how it is done', async () => {
  const target = await targetOf(
    folder,
    staging(
      `allow:\n  - transfer-leadership\n  - { fault: kill, nodes: [a1], at-once: 1, longest: 30s }\n${hooks}`,
    ),
  );
  expect(target).toMatchObject({ name: 'staging', clusterId: '0a1b', mayHarmMajority: false });
  expect(target.tokenFile).toBe(join(folder, 'token'));
  expect(target.allowed).toMatchObject([
    { fault: 'transfer-leadership', nodes: undefined },
    { fault: 'kill', nodes: ['a1'], atOnce: 1, longestMs: 30_000 },
  ]);
  expect(target.hooks.get('process.kill')?.inject[1]).toBe('{host}');
  expect(target.nodes[3]).toMatchObject({ name: 'r1', host: 'r1', region: 'west' });
});

test.each([
  ['a fault that is not there', 'allow: [kil]', '10:9: unknown fault "kil": did you mean kill?'],
  ['an unknown field', 'allow: []\nallowed: []', '11:1: unknown field "allowed"'],
  ['a token in the file', 'allow: []\ntoken: hvs.secret', '11:1: unknown field "token"'],
  [
    'a node that is not there',
    'allow:\n  - { fault: kill, nodes: [a9] }',
    '11:28: unknown node "a9"',
  ],
  ['a wrong time', 'allow:\n  - { fault: kill, longest: soon }', '11:29: '],
  [
    'a word that no command may name',
    `allow: []\n${hooks.replace('{host}', '{hots}')}`,
    '13:19: unknown word "{hots}": did you mean {host}?',
  ],
  [
    'a program that is not written out',
    `allow: []\n${hooks.replace('[ssh, "{host}",', '["{host}",')}`,
    '13:14: the program itself must be written out',
  ],
  [
    'one string as if for a shell',
    'allow: []\nhooks:\n  process.kill: { inject: "reboot", heal: ["true"] }',
    '12:27: ',
  ],
  [
    'a hook that is not there',
    'allow: []\nhooks:\n  process.hug: { inject: [a], heal: [a] }',
    '12:3: unknown field "process.hug": choose process.kill',
  ],
])('%s is refused with its place', async (_what, rest, said) => {
  await expect(targetOf(folder, staging(rest))).rejects.toMatchObject({
    code: 'config.invalid',
    message: expect.stringContaining(`staging.yaml:${said}`) as string,
  });
});

test('a host that a program could take for an option is refused', async () => {
  const text = staging('allow: []').replace('host: 10.0.0.1', 'host: -oProxyCommand=reboot');
  await expect(targetOf(folder, text)).rejects.toThrow('6:23: host: must be a host name');
});

test('a token file that others may read is refused', async () => {
  chmodSync(join(folder, 'token'), 0o640);
  await expect(targetOf(folder, staging('allow: []'))).rejects.toThrow(
    /staging\.yaml:4:13: others may read .*chmod 600/,
  );
});
