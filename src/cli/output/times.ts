/** The last moment that a date can show. */
const DATE_MS_MAX = 8.64e15;

/** Milliseconds since the epoch as people read them; 0 is "never set". */
export function timeText(ms: unknown): string {
  if (typeof ms !== 'number' || ms <= 0) return 'n/a';
  return ms > DATE_MS_MAX ? `${ms} ms after 1970` : new Date(ms).toISOString();
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** A duration in its two largest units: `1h30m`, `12s`, `250ms`. */
export function durationText(ms: number): string {
  return inUnits(ms, 2);
}

/** A duration that somebody set, to the millisecond: `3h25m19s`. */
export function exactDurationText(ms: number): string {
  return inUnits(ms, units.length);
}

function inUnits(ms: number, unitsMax: number): string {
  const parts: string[] = [];
  let rest = Math.round(ms);
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count === 0) continue;
    parts.push(`${count}${unit}`);
    rest -= count * size;
    if (parts.length === unitsMax) break;
  }
  return parts.length === 0 ? '0s' : parts.join('');
}
