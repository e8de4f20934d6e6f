import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chaosDoor } from '../../../chaos/cli/door.ts';
import { verdictView } from '../../../chaos/cli/verdict-view.ts';
import type { ChaosConsole } from '../../../src/cli/index.ts';
import { sampleRecord, staleRead } from '../report/sample-record.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-report-test-'));
  writeFileSync(join(folder, 'run.json'), JSON.stringify(sampleRecord()));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function report(html: string | undefined) {
  const printed: string[] = [];
  const console: ChaosConsole = {
    format: 'table',
    print: (view) => printed.push(view.table()),
    say: () => undefined,
    isTerminal: false,
    ask: () => Promise.resolve(undefined),
    signal: new AbortController().signal,
    programVersion: 'test',
  };
  return chaosDoor.report({ folder, html }, console).then((status) => ({ status, printed }));
}

test('a report is written into the run’s folder, and its place is told', async () => {
  const { status, printed } = await report(undefined);
  const page = join(folder, 'report.html');
  expect(status).toBe(0);
  expect(readFileSync(page, 'utf8')).toContain('<strong>PASSED</strong>');
  expect(printed.join()).toContain(`Report:  ${page}`);
});

test('or where it is wanted, and nowhere else', async () => {
  const page = join(folder, 'board.html');
  await report(page);
  expect(existsSync(page)).toBe(true);
  expect(existsSync(join(folder, 'report.html'))).toBe(false);
});

test('a place that cannot be written is one clear error', async () => {
  const page = join(folder, 'no', 'such', 'folder.html');
  await expect(report(page)).rejects.toMatchObject({
    code: 'cli.file-unwritable',
    message: `Cannot write the report to ${page}`,
  });
});

test('the terminal shows values with units, the impossible answer, and how to run it again', () => {
  const because = ['linearizable is violation'];
  const record = sampleRecord({ checks: [staleRead()] }, { verdict: { kind: 'failed', because } });
  const text = verdictView(record, 'runs/a b', 'runs/a b/report.html').table();
  expect(text).toMatch(/✓ +objective +write-recovery after kill max < 4s +1\.15 s/);
  expect(text).toMatch(/✗ +2 +5050\.0 +5054\.0 +get +got value 0-0 version 1 revision 3/);
  expect(text).toContain('All are about key register-0. ✗ is the answer that no order explains.');
  expect(text).toContain("Again:   strongroom chaos replay 'runs/a b'");
});
