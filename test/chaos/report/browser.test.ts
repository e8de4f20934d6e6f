import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { reportPage } from '../../../chaos/report/page.ts';
import { sampleRecord, staleRead } from './sample-record.ts';

const chromium = ['chromium', 'chromium-browser', 'google-chrome']
  .flatMap((name) => (process.env['PATH'] ?? '').split(delimiter).map((at) => join(at, name)))
  .find((path) => existsSync(path));

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** What the browser made of a page, and what it complained of. */
async function opened(page: string) {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-report-test-'));
  folders.push(folder);
  const file = join(folder, 'report.html');
  writeFileSync(file, page);
  const { stdout, stderr } = await promisify(execFile)(
    chromium ?? '',
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      `--user-data-dir=${join(folder, 'profile')}`,
      '--enable-logging=stderr',
      '--v=0',
      '--dump-dom',
      pathToFileURL(file).href,
    ],
    { maxBuffer: 2 ** 24, timeout: 60_000 },
  );
  const complaints = stderr.split('\n').filter((line) => line.includes('CONSOLE'));
  return { dom: stdout, complaints };
}

test.skipIf(chromium === undefined)(
  'a browser shows the page without a complaint, by its own policy (skipped without Chromium)',
  async () => {
    const because = ['linearizable is violation: no order explains it'];
    const record = sampleRecord(
      { checks: [staleRead()], replicas: true },
      { verdict: { kind: 'failed', because } },
    );
    const page = reportPage(record, 'chaos-runs/sample');
    const { dom, complaints } = await opened(page);
    expect(complaints).toEqual([]);
    expect(dom).toContain('<strong>FAILED</strong>');
    expect(dom).toContain(because[0]);
    // The complaint is heard: the same page with another script than its policy names.
    const changed = await opened(page.replace("'use strict';", "'use strict'; void 0;"));
    expect(changed.complaints.join()).toContain('Content Security Policy');
  },
  120_000,
);
