import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../../chaos/grounds/processes/eventually.ts';
import {
  buildShim,
  missingForShim,
  NodeShim,
} from '../../../chaos/grounds/processes/fault-shim.ts';
import { NodeFaults } from '../../../chaos/grounds/processes/node-faults.ts';

const missing = missingForShim();
if (missing !== undefined) console.warn(`The fault shim is not tested: ${missing}`);

describe.skipIf(missing !== undefined)('the shim under a node', () => {
  let folder: string;
  let shim: NodeShim;
  let faults: NodeFaults;

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'strongroom-shim-')));
    mkdirSync(join(folder, 'data'));
    shim = await NodeShim.create(buildShim(folder), join(folder, 'faults'), join(folder, 'data'));
    faults = new NodeFaults(() => shim);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What a program under the shim prints, as JSON. */
  function under(program: string): unknown {
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, ...shim.environment },
      encoding: 'utf8',
      cwd: folder,
      timeout: 20_000,
    });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  }

  const now = 'console.log(JSON.stringify(Date.now()))';

  test('moves the wall clock, by all layers together, until they are lifted', async () => {
    await faults.clock.lay('1', ['a'], { offsetMs: 3_600_000 });
    await faults.clock.lay('2', ['a'], { offsetMs: -600_000 });
    expect(Math.abs(Number(under(now)) - Date.now() - 3_000_000)).toBeLessThan(5_000);
    await faults.clock.lift('1');
    await faults.clock.lift('1');
    expect(Math.abs(Number(under(now)) - Date.now() + 600_000)).toBeLessThan(5_000);
    await faults.clock.lift('2');
    expect(Math.abs(Number(under(now)) - Date.now())).toBeLessThan(5_000);
  });

  test('lets both clocks drift, and turns neither back when the drift ends', async () => {
    await faults.clock.lay('1', ['a'], { drift: 1 });
    // Measured by another clock, of the processor, which the shim leaves alone.
    const passed = `
      import { writeSync, openSync } from 'node:fs';
      const wall = Date.now(), mono = performance.now(), cpu = process.cpuUsage();
      const used = () => { const { user, system } = process.cpuUsage(cpu); return (user + system) / 1000; };
      while (used() < 200);
      const first = [Date.now() - wall, performance.now() - mono, used()];
      writeSync(openSync('faults', 'r+'), Buffer.alloc(8), 0, 8, 8);
      const before = performance.now();
      console.log(JSON.stringify([...first, before - mono, performance.now() - before]));`;
    const [wall = 0, mono = 0, cpu = 0, kept = 0, after = -1] = under(passed) as number[];
    expect(wall).toBeGreaterThan(1.8 * cpu);
    expect(mono).toBeGreaterThan(1.8 * cpu);
    expect(kept).toBeGreaterThanOrEqual(mono);
    expect(after).toBeGreaterThanOrEqual(0);
    await faults.clock.lift('1');
  });

  const sync = (file: string) => `
    import { open } from 'node:fs/promises';
    const file = await open(${JSON.stringify(file)}, 'w');
    await file.write('x');
    const codes = [];
    const began = performance.now();
    for (const call of [() => file.sync(), () => file.datasync()])
      codes.push(await call().then(() => 'ok', (error) => error.code));
    console.log(JSON.stringify([codes, performance.now() - began]));`;

  test('lets fsync of data files fail or take longer, and of no others', async () => {
    await faults.laySync('1', ['a'], { fails: true });
    expect(under(sync('data/log'))).toMatchObject([['EIO', 'EIO'], expect.anything()]);
    expect(under(sync('elsewhere'))).toMatchObject([['ok', 'ok'], expect.anything()]);
    const disturbed = await shim.calls();
    expect(disturbed).toBeGreaterThanOrEqual(2);
    await faults.laySync('1', ['a'], { delayMs: 60 });
    const [codes, ms] = under(sync('data/log')) as [string[], number];
    expect(codes).toEqual(['ok', 'ok']);
    expect(ms).toBeGreaterThan(115);
    await faults.liftSync('1');
    expect((under(sync('data/log')) as unknown[])[0]).toEqual(['ok', 'ok']);
  });

  const write = (file: string) => `
    import { appendFile } from 'node:fs/promises';
    const code = await appendFile(${JSON.stringify(file)}, 'x').then(() => 'ok', (e) => e.code);
    console.log(JSON.stringify(code));`;

  test('lets the audit log alone be full', async () => {
    await faults.audit.lay('1', ['a'], { writes: 'full' });
    expect(under(write('data/audit.log'))).toBe('ENOSPC');
    expect(under(write('data/other.log'))).toBe('ok');
    await faults.audit.lift('1');
    expect(under(write('data/audit.log'))).toBe('ok');
  });

  test('lets the audit log hang until it is lifted', async () => {
    await faults.audit.lay('1', ['a'], { writes: 'hanging' });
    const calls = await shim.calls();
    const child = spawn(
      process.execPath,
      ['-e', `require('fs').appendFileSync('data/audit.log', 'x')`],
      {
        cwd: folder,
        env: { ...process.env, ...shim.environment },
        stdio: 'ignore',
        timeout: 10_000,
        killSignal: 'SIGKILL',
      },
    );
    const ended = once(child, 'exit');
    await eventually(async () => (await shim.calls()) > calls, 'it has come to the write');
    expect(child.exitCode).toBe(null);
    await faults.audit.lift('1');
    expect(await ended).toEqual([0, null]);
  });

  test('refuses a drift that is no clock', async () => {
    for (const drift of [-1, Number.NaN, 1e9])
      await expect(faults.clock.lay('bad', ['a'], { drift })).rejects.toThrow(RangeError);
    await faults.clock.lift('bad');
    expect(Math.abs(Number(under(now)) - Date.now())).toBeLessThan(5_000);
  });

  test('does nothing to a program that is started without its file', () => {
    rmSync(join(folder, 'faults'));
    expect(Math.abs(Number(under(now)) - Date.now())).toBeLessThan(5_000);
    writeFileSync(join(folder, 'faults'), '');
  });
});
