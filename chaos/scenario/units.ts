import { z } from 'zod';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `250ms`, `3s`, `1m30s`; undefined when it is not written so. */
export function parseDurationMs(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|[smh]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smh])/g)) {
    total += Number(count) * (unitMs[unit] ?? 0);
  }
  return total;
}

/** "850 ms", "3.20 s", "2 min 5 s". */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
}

/** `20%` or `0.2`, as a ratio from 0 to 1; undefined when it is neither. */
export function parseRatio(text: string): number | undefined {
  const [, percent, plain] = /^(?:(\d{1,3}(?:\.\d+)?)%|([01](?:\.\d+)?))$/.exec(text) ?? [];
  const ratio = percent === undefined ? Number(plain ?? Number.NaN) : Number(percent) / 100;
  return ratio >= 0 && ratio <= 1 ? ratio : undefined;
}

const rateUnits: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** `1mbit`, as bytes a second; undefined when it is not written so. */
export function parseBytesPerSecond(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,9}(?:\.\d+)?)([kmg]?bit)$/.exec(text) ?? [];
  const bits = Number(count) * (rateUnits[unit] ?? Number.NaN);
  return bits > 0 ? bits / 8 : undefined;
}

const written = (parse: (text: string) => number | undefined, example: string) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const parsed = parse(String(value));
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `"${value}" should be written like ${example}` });
    return z.NEVER;
  });

/** A duration of a scenario, in milliseconds once read. */
export const duration = () => written(parseDurationMs, '250ms, 3s or 1m30s');
/** A share of a scenario, from 0 to 1 once read. */
export const ratio = () => written(parseRatio, '20% or 0.2');
/** A bandwidth of a scenario, in bytes a second once read. */
export const bandwidth = () => written(parseBytesPerSecond, '1mbit or 500kbit');
