import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { reportPage } from '../../../chaos/report/page.ts';
import type { RunRecord } from '../../../chaos/runner/record.ts';
import { killAt, sampleRecord, staleRead } from './sample-record.ts';

const pageOf = (record: RunRecord) => reportPage(record, 'chaos-runs/sample');
const failedOf = (because: string) =>
  ({ verdict: { kind: 'failed', because: [because] } }) as const;

/** What stands in the section of this id. */
function sectionOf(page: string, id: string): string {
  const section = new RegExp(`<section id="${id}">(.*?)</section>`, 's').exec(page)?.[1];
  if (section === undefined) throw new Error(`The page has no section ${id}`);
  return section;
}

/** As a reader sees it: without tags, entities read. */
function textOf(markup: string): string {
  return markup
    .replace(/<(style|script|title)[^>]*>.*?<\/\1>/gs, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ');
}

/** The page's panel with this heading. */
function panelOf(page: string, title: string): string {
  const panels = page.split('<figure class="panel">');
  const found = panels.find((panel) => panel.includes(`<h3>${title}</h3>`));
  if (found === undefined) throw new Error(`The page has no panel ${title}`);
  return found;
}

test('every fault has a band at its place in time, and every plot shows the bands', () => {
  const record = sampleRecord();
  const page = pageOf(record);
  const bands = [
    ...page.matchAll(
      /data-fault="(\d+)">.*?<rect class="tint[^"]*" x="([\d.]+)%" width="([\d.]+)%"/g,
    ),
  ];
  expect(bands.map((band) => band[1])).toEqual(['1', '2']);
  const [from, to] = [400, 20_000];
  for (const [at, fault] of record.faults.entries()) {
    const [, , x, width] = bands[at] ?? [];
    expect(Number(x)).toBeCloseTo(((fault.injectedAt - from) / (to - from)) * 100, 2);
    const lasted = (fault.healthyAt ?? 0) - fault.injectedAt;
    expect(Number(width)).toBeCloseTo((lasted / (to - from)) * 100, 2);
  }
  for (const title of ['Throughput', 'Error rate', 'Latency of writes', 'Leader and term', 'Seal'])
    expect(panelOf(page, title)).toContain('href="#bands"');
});

test('every fault, objective, hypothesis and check has its row, with figures and bounds', () => {
  const page = pageOf(sampleRecord());
  const recovery = textOf(sectionOf(page, 'recovery'));
  expect(recovery).toMatch(/1 kill voter-1 6 s 3.00 s ✓ 1.15 s of 4.00 s not interrupted/);
  expect(recovery).toContain('2 kill voter-2 12 s');
  const objectives = textOf(sectionOf(page, 'objectives'));
  expect(objectives).toContain('✓ met write-recovery after kill max < 4s 1.15 s < 4.00 s');
  expect(objectives).toContain('✓ met error-rate < 1% 0.23% < 1%');
  expect(textOf(sectionOf(page, 'steady-state'))).toContain('✓ held leaders == 1 1 == 1');
  expect(textOf(sectionOf(page, 'checks'))).toContain('✓ holds linearizable one order 2417');
  expect(textOf(page)).toContain('✓ PASSED 2 faults, 2 objectives met');
  expect(textOf(page)).toContain('strongroom chaos replay chaos-runs/sample');
});

test('the course shows who led, who was away, and which seals were closed', () => {
  const page = pageOf(sampleRecord());
  const states = (panel: string, node: string) =>
    [...panel.matchAll(/data-node="([^"]*)" data-state="([^"]*)"/g)]
      .filter((found) => found[1] === node)
      .map((found) => found[2]);
  expect(states(panelOf(page, 'Leader and term'), 'voter-1')).toEqual([
    'leader, term 1',
    'no answer',
    'leader, term 2',
    'follower',
    'leader, term 3',
  ]);
  expect(states(panelOf(page, 'Seal'), 'voter-3')).toEqual(['sealed', 'unsealed']);
  expect(panelOf(page, 'Leader and term')).toContain('term 3');
});

test('lag has a curve for each region with replicas, and a word when there are none', () => {
  const withReplicas = panelOf(pageOf(sampleRecord({ replicas: true })), 'Replication lag');
  expect(textOf(withReplicas)).toMatch(/of the slowest replica of each region west south/);
  expect(withReplicas.match(/<path class="curve/g)).toHaveLength(2);
  expect(pageOf(sampleRecord())).toContain('This cluster has no read replicas.');
});

test('where no node answered the commit index is unknown, not zero', () => {
  const record = sampleRecord();
  const samples = record.samples.map((sample, at) => {
    if (at !== 20) return sample;
    const nodes = sample.observation.nodes.map((node) => ({ ...node, up: false, commit: 0 }));
    return { ...sample, observation: { leader: undefined, term: 0, commit: 0, nodes } };
  });
  const page = pageOf({ ...record, samples });
  const curve = /<path class="curve first" d="([^"]*)"/.exec(panelOf(page, 'Commit index'))?.[1];
  // Two pieces of a curve: it begins anew after the gap.
  expect(curve?.match(/M/g)).toHaveLength(2);
  expect(panelOf(page, 'Leader and term')).not.toContain('term 0');
});

test('a violation is drawn with a lane for each client, and the impossible answer is marked', () => {
  const page = pageOf(sampleRecord({ checks: [staleRead()] }, failedOf('linearizable: broken')));
  const checks = sectionOf(page, 'checks');
  expect(checks.match(/class="client"/g)).toHaveLength(4);
  expect(checks.match(/<g class="operation/g)).toHaveLength(4);
  const culprits = checks.match(/<g class="operation[^"]*culprit.*?<\/g>/gs) ?? [];
  expect(culprits).toHaveLength(1);
  expect(textOf(culprits[0] ?? '')).toContain('✗ 4 get → got value 0-0 version 1 revision 3');
  expect(checks.match(/class="operation write open"/g)).toHaveLength(1);
  expect(textOf(checks)).toContain('All of them are about key register-0');
  expect(textOf(page)).toContain('✗ FAILED linearizable: broken');
});

test('of a long history the picture has what the impossible answer speaks of, the list has all', () => {
  const checks = sectionOf(pageOf(sampleRecord({ checks: [staleRead(80)] })), 'checks');
  const drawn = checks.match(/<g class="operation.*?<\/g>/gs) ?? [];
  expect(drawn.length).toBeLessThan(20);
  expect(drawn.map(textOf).join()).toContain('1 put value 0-0');
  expect(checks.match(/<td data-label="Client">/g)).toHaveLength(83);
});

test('a recovery that never came, and a fault that went wrong, are said in words', () => {
  const hurt = killAt(6_000, 'voter-1', { recovery: { injection: null }, error: 'no such disk' });
  const missed = { text: 'write-recovery after kill max < 4s', value: null, holds: false } as const;
  const page = pageOf(
    sampleRecord(
      { faults: [hurt] },
      { objectives: [{ ...missed, measure: 'write-recovery' }], ...failedOf('x') },
    ),
  );
  expect(textOf(sectionOf(page, 'recovery'))).toMatch(/✗ never not measured no such disk/);
  expect(textOf(sectionOf(page, 'objectives'))).toContain(
    '✗ missed write-recovery after kill max < 4s never',
  );
});

test('aborted, interrupted and empty runs say what they are', () => {
  const aborted = {
    text: 'error-rate > 95% for 15s',
    measure: 'error-rate',
    value: 1,
    holds: true,
  } as const;
  const page = pageOf(sampleRecord({ checks: [] }, { aborted, ...failedOf('aborted') }));
  expect(textOf(page)).toContain('✗ FAILED, and ended early');
  expect(textOf(sectionOf(page, 'aborted'))).toContain(
    'What must not come true Measured Bound ✗ came true error-rate > 95% for 15s 100%',
  );
  expect(textOf(sectionOf(page, 'checks'))).toContain('ended before anything was checked');
  const interrupted = {
    verdict: { kind: 'interrupted' },
    samples: [],
    phases: [],
    workloads: [],
    objectives: [],
    steadyState: [],
  } as const;
  const stopped = textOf(pageOf(sampleRecord({ faults: [], checks: [] }, interrupted)));
  expect(stopped).toContain('INTERRUPTED Stopped by hand');
  expect(stopped).toContain('No fault was done.');
  expect(stopped).not.toMatch(/NaN|Infinity|undefined/);
});

/** Where another word would be another record. */
const keptWords = new Set(
  'failed violation voter replica ok maybe read write start steady timeline settle check write-recovery error-rate leaders unsealed sealed leader follower unknown'.split(
    ' ',
  ),
);

test('names and errors of a run are text, never markup, nor do they hide other text', () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\u202eolleh\u0007`;
  const record = JSON.parse(
    JSON.stringify(
      sampleRecord(
        { checks: [staleRead()], faults: [killAt(6_000, 'voter-1', { error: 'x' })] },
        failedOf('y'),
      ),
    ),
    (_, value: unknown) =>
      typeof value === 'string' && !keptWords.has(value) ? `${value}${evil}` : value,
  ) as RunRecord;
  const page = reportPage({ ...record, version: 1 }, `runs/${evil}`);
  expect(page.match(/<script/g)).toHaveLength(2);
  expect(page).not.toContain('<img');
  expect(page).not.toContain('\u202e');
  expect(page).not.toContain('\u0007');
  expect(page.replace(/<script type="application\/json".*?<\/script>/s, '')).not.toContain(
    "onerror='",
  );
  // In a shell the folder is one word.
  expect(textOf(page)).toContain(`strongroom chaos replay 'runs/"><script>alert(1)`);
});
test('the page needs nothing from elsewhere, and its policy names its one sheet and script', () => {
  const page = pageOf(sampleRecord({ replicas: true, checks: [staleRead()] }));
  expect(page).not.toMatch(/https?:|\/\/[a-z]|@import|url\((?!#)/i);
  expect(page).not.toMatch(/ style="| on[a-z]+="/);
  expect(
    [...page.matchAll(/(?:href|src)="([^"]*)"/g)].every((found) => found[1]?.startsWith('#')),
  ).toBe(true);
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? '';
  expect(policy).toContain("default-src 'none'");
  const hash = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  expect(policy).toContain(`style-src ${hash(/<style>(.*?)<\/style>/s.exec(page)?.[1])}`);
  expect(policy).toContain(`script-src ${hash(/<script>(.*?)<\/script>/s.exec(page)?.[1])}`);
});

test('a long run with many faults makes a page of bounded size', () => {
  const faults = Array.from({ length: 2_000 }, (_, at) =>
    killAt(5_000 + at * 5_000, `voter-${(at % 3) + 1}`),
  );
  const page = pageOf(
    sampleRecord({
      lengthMs: 10_000_000,
      everyMs: 500,
      faults,
      replicas: true,
      checks: [staleRead(2_000)],
    }),
  );
  expect(page.length).toBeLessThan(2_000_000);
  expect(textOf(page)).toContain('1,600 later faults are in run.json');
});
