import { createHash } from 'node:crypto';
import type { CheckRecord, RunRecord } from '../runner/record.ts';
import { formatDuration } from '../scenario/units.ts';
import { course } from './course.ts';
import { numberedFaults } from './fault-bands.ts';
import { assertionTable, checkList, workloadTable } from './findings.ts';
import { historyDiagram } from './history-diagram.ts';
import { hoverData, hoverScript } from './hover.ts';
import { html, Markup } from './markup.ts';
import { recoveryTable } from './recovery.ts';
import { style } from './style.ts';
import { timelineOf } from './timeline.ts';
import { clusterWords, countWords, plural, shellWord, shortened } from './words.ts';

/**
 * A run as one page that needs nothing else: no other file, no network, no script. What comes from
 * the run is escaped; the page's own policy forbids everything but its one sheet and one script.
 */
export function reportPage(record: RunRecord, folder: string): string {
  const faults = numberedFaults(record.faults);
  const timeline = timelineOf(record);
  const { scenario, verdict } = record;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(hoverScript)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${verdict.kind.toUpperCase()}: ${scenario.title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<header>
<p class="over">Strongroom game day · ${record.startedAt.slice(0, 16).replace('T', ' ')} UTC · ${record.target === undefined ? '' : `the running cluster “${record.target.name}”: `}${clusterWords(record.cluster)}</p>
<h1>${scenario.title}</h1>
<p class="purpose">${scenario.purpose}</p>
${verdictBox(record)}
${figures(record)}
</header>
<section id="timeline"><h2>What happened</h2>
<p class="note">Bands behind the curves are the faults, numbered in order; each kind has a pattern of its own. Times count from the start of the run.</p>
${course(timeline, record, faults)}</section>
<section id="recovery"><h2>Recovery after each fault</h2>
<p class="note">The time from the fault, and from its heal, until every client’s writes are acknowledged again. The upright line is the bound that the scenario sets for the slowest.</p>
${recoveryTable(record, faults)}</section>
<section id="objectives"><h2>Objectives</h2>
${record.objectives.length === 0 ? noObjectives(record) : assertionTable(record.objectives, record.faults, ['met', 'missed'])}</section>
${abortSection(record)}
<section id="steady-state"><h2>Steady state, before the first fault</h2>
${record.steadyState.length === 0 ? html`<p class="note">The scenario expects nothing, or the run ended before it was looked at.</p>` : assertionTable(record.steadyState, [], ['held', 'did not'])}</section>
<section id="checks"><h2>Checks</h2>
${checkList(record)}${record.checks.map(violation)}</section>
<section id="clients"><h2>What the clients did</h2>
${workloadTable(record)}</section>
${runSection(record, folder)}
</main>
<output id="readout" class="readout" hidden></output>
<script type="application/json" id="hover-data">${hoverData(timeline)}</script>
<script>${new Markup(hoverScript)}</script>
</body>
</html>
`;
  return page.text;
}

const hashOf = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;

function verdictBox({ verdict, aborted, checks, objectives, faults }: RunRecord): Markup {
  switch (verdict.kind) {
    case 'passed': {
      const all = [
        plural(faults.length, 'fault'),
        `${plural(objectives.length, 'objective')} met`,
        `${plural(checks.filter((one) => one.kind === 'ok').length, 'check')} without a finding`,
      ].join(', ');
      const { notChecked = [] } = verdict;
      const open =
        notChecked.length === 0
          ? undefined
          : html`<p>Not checked on this ground:</p><ul>${notChecked.map((one) => html`<li>${shortened(one, 1_000)}</li>`)}</ul>`;
      return html`<div class="verdict passed"><span class="sign" aria-hidden="true">✓</span><div><strong>PASSED</strong><p>${all}.</p>${open}</div></div>`;
    }
    case 'failed': {
      const because = verdict.because.map((why) => html`<li>${shortened(why, 1_000)}</li>`);
      const words = aborted === undefined ? 'FAILED' : 'FAILED, and ended early';
      return html`<div class="verdict failed"><span class="sign" aria-hidden="true">✗</span><div><strong>${words}</strong><ul>${because}</ul></div></div>`;
    }
    case 'interrupted':
      return html`<div class="verdict interrupted"><span class="sign" aria-hidden="true">‖</span><div><strong>INTERRUPTED</strong><p>Stopped by hand and healed: it says nothing of the cluster.</p></div></div>`;
  }
}

/** The few figures that a reader asks for first. */
function figures({ faults, objectives, checks, workloads }: RunRecord): Markup {
  const answered = workloads.reduce((sum, one) => sum + one.ok, 0);
  const unanswered = workloads.reduce((sum, one) => sum + one.maybe + one.no, 0);
  const recoveries = faults.flatMap(({ recovery }) => recovery?.injection ?? []);
  const isNever = faults.some(({ recovery }) => recovery?.injection === null);
  const slowest = recoveries.length === 0 ? '–' : formatDuration(Math.max(...recoveries));
  const of = (good: number, all: number) => (all === 0 ? '–' : `${good} of ${all}`);
  const list: readonly (readonly [string, string])[] = [
    [countWords(answered), 'operations answered'],
    [countWords(unanswered), 'not answered'],
    [countWords(faults.length), faults.length === 1 ? 'fault' : 'faults'],
    [isNever ? 'never' : slowest, 'slowest recovery of writes after a fault'],
    [of(objectives.filter((one) => one.holds).length, objectives.length), 'objectives met'],
    [of(checks.filter((one) => one.kind === 'ok').length, checks.length), 'checks hold'],
  ];
  return html`<ul class="figures">${list.map(([figure, what]) => html`<li><b>${figure}</b><span>${what}</span></li>`)}</ul>`;
}

function noObjectives({ phases }: RunRecord): Markup {
  const isChecked = phases.some((one) => one.phase === 'check');
  return html`<p class="note">${isChecked ? 'The scenario has none.' : 'The run ended before they were measured.'}</p>`;
}

function abortSection({ aborted, faults }: RunRecord): Markup | undefined {
  if (aborted === undefined) return undefined;
  return html`<section id="aborted"><h2>Why the faults ended early</h2>
<p>This abort condition held; the faults were ended and everything was healed.</p>
${assertionTable([{ ...aborted, holds: false }], faults, ['', 'came true'], 'What must not come true')}</section>`;
}

function violation(check: CheckRecord): Markup | undefined {
  if (check.kind !== 'violation' || check.history.length === 0) return undefined;
  return html`<h3>The fewest operations that show it: ${check.name}</h3>
${historyDiagram(check.history, check.impossible)}`;
}

function runSection(record: RunRecord, folder: string): Markup {
  const { scenario, ground, seed, program, cluster, startedAt, phases } = record;
  const lasted = (phases.at(-1)?.to ?? 0) - (phases[0]?.from ?? 0);
  const link = cluster.betweenRegions;
  const facts: readonly (readonly [string, string])[] = [
    ['Scenario', `${scenario.name} (${scenario.file})`],
    ['Ground', ground],
    ['Cluster', `${clusterWords(cluster)}, seal ${cluster.seal}`],
    ...(link === undefined
      ? []
      : [
          [
            'Between regions',
            `delay ${formatDuration(link.delayMs)}, jitter ${formatDuration(link.jitterMs)}, loss ${link.lossRatio * 100} %`,
          ] as const,
        ]),
    ['Seed', String(seed)],
    ['Started', startedAt],
    ['Lasted', formatDuration(lasted)],
    ['Program', `Strongroom ${program.version}, Node ${program.node}`],
  ];
  return html`<section id="replay"><h2>Run it again</h2>
<pre>strongroom chaos replay ${shellWord(folder)}${record.target === undefined ? '' : ' --target FILE'}</pre>
<p class="note">The same file, ground and seed. The folder also has run.json, the whole record for programs, and every operation of every client.</p>
<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
<details><summary>The scenario’s file</summary><pre>${shortened(scenario.text, 50_000)}</pre></details></section>`;
}
