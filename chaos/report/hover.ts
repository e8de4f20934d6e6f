import type { OperationStats } from '../runner/record.ts';
import { formatDuration } from '../scenario/units.ts';
import { jsonMarkup, type Markup } from './markup.ts';
import { percentAt, type Timeline } from './timeline.ts';
import { momentWords } from './words.ts';

/** What the read-out says at each place of the time axis, for the script below. */
export function hoverData(timeline: Timeline): Markup {
  const rows = timeline.buckets.flatMap((bucket) => {
    const sample = bucket.samples.at(-1);
    if (sample === undefined) return [];
    const { at, observation, writes, reads } = sample;
    const p99 = ({ latency }: OperationStats) =>
      latency === undefined ? '–' : formatDuration(latency.p99);
    const words = [
      momentWords(at),
      `writes ${writes.perSecond.toFixed(0)}/s (p99 ${p99(writes)})`,
      `reads ${reads.perSecond.toFixed(0)}/s (p99 ${p99(reads)})`,
      `failed ${writes.failed + reads.failed}`,
      `leader ${observation.leader ?? 'none'}, term ${observation.term}`,
      `commit ${observation.commit}`,
    ];
    return [[percentAt(timeline, at), words.join('  ·  ')]];
  });
  return jsonMarkup(rows);
}

/** An upright line through all plots at the pointer, and the figures there. Nothing needs it. */
export const hoverScript = `'use strict';
const rows = JSON.parse(document.getElementById('hover-data').textContent);
const readout = document.getElementById('readout');
const cursors = document.querySelectorAll('.cursor');
const show = (event) => {
  const box = event.currentTarget.getBoundingClientRect();
  const percent = ((event.clientX - box.left) / box.width) * 100;
  let best;
  for (const row of rows)
    if (best === undefined || Math.abs(row[0] - percent) < Math.abs(best[0] - percent)) best = row;
  if (best === undefined) return;
  readout.textContent = best[1];
  readout.hidden = false;
  for (const line of cursors) {
    line.setAttribute('x1', best[0] + '%');
    line.setAttribute('x2', best[0] + '%');
    line.classList.add('shown');
  }
};
const hide = () => {
  readout.hidden = true;
  for (const line of cursors) line.classList.remove('shown');
};
for (const area of document.querySelectorAll('.area')) {
  area.addEventListener('pointermove', show);
  area.addEventListener('pointerleave', hide);
}
`;
