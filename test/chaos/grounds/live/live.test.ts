import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePortRow } from '../../../../chaos/grounds/processes/free-ports.ts';
import { readRecord } from '../../../../chaos/runner/read-record.ts';
import type { LocalDocument } from '../../../../src/cli/local-cluster/start.ts';
import { connect, type StrongroomClient } from '../../../../src/client/index.ts';

const root = new URL('../../../../', import.meta.url);
const cli = new URL('dist/cli/main.js', root).pathname;
const VOTERS = 3;
const PORTS_A_NODE = 3;

let folder = '';
let cluster: LocalDocument;
let client: StrongroomClient;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-live-'));
  const port = String(await freePortRow(VOTERS * PORTS_A_NODE));
  const flags = ['--detach', '--no-replicas', '--seal', 'dev', '--base-port', port];
  const up = await finished(strongroom('up', ...flags, '--data', file('data'), '--format', 'json'));
  if (up.status !== 0) throw new Error(up.err);
  cluster = JSON.parse(up.out) as LocalDocument;
  client = await connect({
    addresses: cluster.nodes.map((node) => node.grpcAddress),
    ca: readFileSync(cluster.caFile, 'utf8'),
    token: readFileSync(cluster.rootTokenFile, 'utf8').trim(),
  });
}, 60_000);
afterAll(async () => {
  await client.close();
  await finished(strongroom('down', '--data', file('data')));
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

function strongroom(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function finished(child: ChildProcess) {
  const text = { out: '', err: '' };
  child.stdout?.on('data', (chunk: Buffer) => {
    text.out += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    text.err += chunk.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, ...text };
}

async function said(child: ChildProcess, words: string): Promise<void> {
  if (child.stderr === null) throw new Error('It has no standard error');
  for await (const line of createInterface({ input: child.stderr }))
    if (line.includes(words)) return;
  throw new Error(`It ended without saying "${words}"`);
}

/** A scenario of these steps; the first stands in line 10. */
function scenario(
  name: string,
  steps: string | readonly string[],
  durationMs: number,
  checks = 'linearizable, audit-complete, same-state',
): string {
  const text = `name: ${name}
title: A fault of a running cluster
purpose: To see it done and healed.
cluster: { voters: ${VOTERS} }
grounds: [live]
steady: { for: 500ms, expect: [leaders == 1, down-nodes == 0] }
duration: ${durationMs}ms
settle: 500ms
timeline:
${[steps]
  .flat()
  .map((step) => `  - ${step}\n`)
  .join('')}workloads: [{ use: register, with: { clients: 2, keys: 2 } }]
checks: [${checks}]
`;
  writeFileSync(file(`${name}.yaml`), text);
  return file(`${name}.yaml`);
}

function target(name: string, text: string): string {
  writeFileSync(file(`${name}.yaml`), `name: ${name}\n${text}`);
  return file(`${name}.yaml`);
}

const killAllowed = () =>
  target('trial', 'local: data\nallow: [{ fault: kill, at-once: 1, longest: 60s }]\n');

const run = (scenarioFile: string, targetFile: string, name: string, out: string) =>
  strongroom(
    'chaos',
    'run',
    scenarioFile,
    '--on',
    'live',
    '--target',
    targetFile,
    '--yes',
    name,
    '--out',
    file(out),
  );

/** Every node answers, and nothing of a run is left in the cluster. */
async function isAsBefore(): Promise<void> {
  const { members } = await client.call('cluster.status', {});
  expect(members.map((one) => `${one.name} ${one.healthy}`).sort()).toEqual([
    'voter-1 true',
    'voter-2 true',
    'voter-3 true',
  ]);
  expect((await client.call('namespace.list', {})).namespaces).toEqual([]);
}

const becomesAsBefore = () =>
  expect.poll(() => isAsBefore().then(() => true), { timeout: 15_000 }).toBe(true);

describe('a game day on a running cluster', { timeout: 30_000 }, () => {
  test('kills its leader by a signal, starts it again, and leaves nothing behind', async () => {
    const step = '{ at: 200ms, for: 1500ms, fault: kill, on: leader }';
    const result = await finished(run(scenario('a', step, 3_500), killAllowed(), 'trial', 'a'));
    expect(result.out).toContain('Verdict: PASSED');
    const record = await readRecord(file('a'));
    expect(record.target).toEqual({ name: 'trial', cluster: cluster.clusterId });
    const [fault] = record.faults;
    expect(fault).toMatchObject({ fault: 'kill', nodes: [expect.stringMatching(/^voter-/)] });
    const isSeenDown = record.samples.some(({ observation }) =>
      observation.nodes.some((node) => node.name === fault?.nodes[0] && !node.up),
    );
    expect(isSeenDown).toBe(true);
    expect(record.checks.map((check) => check.kind)).toEqual(['ok', 'ok', 'ok']);
    await becomesAsBefore();
  });

  test('refuses what was not allowed, and the wrong name, before anything is touched', async () => {
    const step = '{ at: 200ms, for: 1s, fault: pause, on: leader }';
    const one = await finished(run(scenario('b', step, 2_000), killAllowed(), 'trial', 'b'));
    expect(one.status).toBe(1);
    expect(one.err).toMatch(/b\.yaml:10:\d+: "trial" does not allow pause/);
    const allowed = scenario('c', '{ at: 200ms, for: 1s, fault: kill, on: leader }', 2_000);
    const two = await finished(run(allowed, killAllowed(), 'production', 'b'));
    expect(two.status).toBe(1);
    expect(two.err).toContain('"production" is not the name of the cluster');
    const other = target('other', 'local: data\ncluster: 0a1b\nallow: [kill]\n');
    const three = await finished(run(allowed, other, 'other', 'b'));
    expect(three.status).toBe(1);
    expect(three.err).toContain(`should be cluster 0a1b, and who answers is ${cluster.clusterId}`);
    expect(existsSync(file('b/run.json')) || existsSync(file('b/state.json'))).toBe(false);
    await isAsBefore();
  });

  test("does faults by its operator's commands, and says what it could not check", async () => {
    const hand = file('hand.mjs');
    writeFileSync(
      hand,
      `import { appendFileSync, readFileSync } from 'node:fs';
const [, , signal, node, host] = process.argv;
const { pid } = JSON.parse(readFileSync(\`${file('data')}/\${node}/data/ready.json\`, 'utf8'));
appendFileSync('${file('hand.log')}', \`\${signal} \${node} \${host}\\n\`);
process.kill(pid, signal);
`,
    );
    const [first] = cluster.nodes;
    // With no more than what its page says that a game day needs.
    const page = readFileSync(new URL('docs/game-days/running-cluster.md', root), 'utf8');
    const text = /```hcl\n([^`]*)```/.exec(page)?.[1] ?? '';
    await client.call('policy.put', { name: 'game-day', policy: text });
    const { token } = await client.call('token.create', { policies: ['game-day'] });
    writeFileSync(file('game-day.token'), token, { mode: 0o600 });
    const hooked = target(
      'hooked',
      `cluster: ${cluster.clusterId}
addresses: [${first?.grpcAddress}]
ca-file: ${cluster.caFile}
token-file: game-day.token
nodes: [{ name: voter-1 }, { name: voter-2, host: two.example }, { name: voter-3 }]
allow: [{ fault: pause, nodes: [voter-2] }]
hooks:
  process.pause:
    inject: [${process.execPath}, ${hand}, SIGSTOP, "{node}", "{host}"]
    heal: [${process.execPath}, ${hand}, SIGCONT, "{node}", "{host}"]
`,
    );
    const step = '{ at: 200ms, for: 1500ms, fault: pause, on: voter-2 }';
    const result = await finished(run(scenario('d', step, 3_500), hooked, 'hooked', 'd'));
    expect(result.out).toContain('Verdict: PASSED');
    expect(result.out).toContain('not checked on this ground: audit-complete');
    expect(readFileSync(file('hand.log'), 'utf8')).toBe(
      'SIGSTOP voter-2 two.example\nSIGCONT voter-2 two.example\n',
    );
    const { verdict, checks } = await readRecord(file('d'));
    expect(verdict).toMatchObject({ kind: 'passed', notChecked: [expect.any(String)] });
    expect(checks.map((check) => check.kind)).toEqual(['ok', 'not-checked', 'ok']);
    expect(readFileSync(file('d/report.html'), 'utf8')).toContain('Not checked on this ground');
    await becomesAsBefore();
  });

  test('needs no hands for what is asked of the API, and takes all of it back', async () => {
    const steps = [
      '{ at: 100ms, for: 1500ms, fault: demote, on: follower }',
      '{ at: 200ms, for: 1s, fault: snapshot-pressure }',
      '{ at: 2s, for: 500ms, fault: rotate, with: { what: keyring } }',
      '{ at: 3s, for: 1s, fault: seal }',
    ];
    const allowed = target(
      'api',
      'local: data\nmay-harm-majority: true\nallow: [demote, snapshot-pressure, rotate, seal]\n',
    );
    const checks = 'linearizable, seal-sound';
    const result = await finished(run(scenario('g', steps, 5_500, checks), allowed, 'api', 'g'));
    expect(result.out).toContain('Verdict: PASSED');
    // Each of them waits until it is so: nodes that are not sealed would be an error of the fault.
    const { faults } = await readRecord(file('g'));
    expect(faults.map(({ fault, error }) => [fault, error])).toEqual([
      ['demote', undefined],
      ['snapshot-pressure', undefined],
      ['rotate', undefined],
      ['seal', undefined],
    ]);
    expect((await client.call('seal.status', {})).keyringEpoch).toBe(2);
    await becomesAsBefore();
  });

  test('is ended and healed from another terminal', async () => {
    const step = '{ at: 200ms, for: 50s, fault: kill, on: follower }';
    const child = run(scenario('e', step, 60_000), killAllowed(), 'trial', 'e');
    // Not only begun: it is seen to be away.
    await said(child, 'down voter-');
    const ending = finished(child);
    expect(await finished(strongroom('chaos', 'stop', file('e')))).toMatchObject({ status: 0 });
    expect(existsSync(file('e/state.json'))).toBe(false);
    expect((await ending).status).toBe(130);
    expect((await readRecord(file('e'))).verdict).toEqual({ kind: 'interrupted' });
    await becomesAsBefore();
  });

  test('leaves a state file when its runner dies, by which it is healed', async () => {
    const step = '{ at: 200ms, for: 50s, fault: kill, on: follower }';
    const child = run(scenario('f', step, 60_000), killAllowed(), 'trial', 'f');
    // Not only begun: it is seen to be away.
    await said(child, 'down voter-');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const state = readFileSync(file('f/state.json'), 'utf8');
    expect(state).not.toContain(readFileSync(cluster.rootTokenFile, 'utf8').trim());
    const healed = await finished(strongroom('chaos', 'heal', file('f')));
    expect(healed.out).toMatch(/done: start voter-\d\ndone: delete the namespace chaos-/);
    expect(existsSync(file('f/state.json'))).toBe(false);
    await becomesAsBefore();
  });
});
