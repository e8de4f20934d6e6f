/** Maps values to a share of an axis, from 0 to 1, and says where its marks are. */
export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

const TICKS_MAX = 4;

/** The smallest of 1, 2, 5 times a power of ten that divides `span` into at most `count` parts. */
function niceStep(span: number, count: number): number {
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].find((times) => span / (times * power) <= count * (1 + 1e-9)) ?? 10;
  return step * power;
}

/** An axis from `min` or a little below to `max` or a little above, with round marks. */
export function linearScale(min: number, max: number, ticksMax = TICKS_MAX): Scale {
  // Nothing to tell apart: the value lies on the lowest mark.
  const isFlat = max - min <= Math.abs(max) * 1e-9;
  const span = isFlat ? Math.max(1, Math.abs(max)) : max - min;
  const step = niceStep(span, ticksMax);
  const first = Math.floor(min / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil((min + span) / step - 1e-9));
  const bottom = first * step;
  return {
    at: (value) => clamped((value - bottom) / ((last - first) * step)),
    ticks: Array.from({ length: last - first + 1 }, (_, at) => tidy((first + at) * step)),
  };
}

/** An axis of powers of ten; what is below the smallest lies on its edge. */
export function logScale(min: number, max: number, ticksMax = TICKS_MAX + 1): Scale {
  const first = Math.floor(Math.log10(min) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(max) - 1e-9));
  const every = Math.ceil((last - first) / (ticksMax - 1));
  const ticks: number[] = [];
  for (let power = first; power <= last; power += every) ticks.push(tidy(10 ** power));
  return {
    at: (value) => (value > 0 ? clamped((Math.log10(value) - first) / (last - first)) : 0),
    ticks,
  };
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const timeSteps = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 6, 12, 24].map((count) => count * HOUR),
];

/** An axis of time, exactly from `fromMs` to `toMs`, with marks at round times. */
export function timeScale(fromMs: number, toMs: number, ticksMax = 7): Scale {
  const span = Math.max(1, toMs - fromMs);
  const most = Math.max(1, ticksMax - 1);
  const step = timeSteps.find((one) => span / one <= most) ?? niceStep(span, most);
  const ticks: number[] = [];
  for (let tick = Math.ceil(fromMs / step) * step; tick <= toMs; tick += step) ticks.push(tick);
  return { at: (value) => clamped((value - fromMs) / span), ticks };
}

const clamped = (share: number) => Math.min(1, Math.max(0, share));
/** Without the dust of binary fractions. */
const tidy = (value: number) => Number(value.toPrecision(12));
