import { StrongroomError } from '../../lib/index.ts';

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads `1h30m`, `1.5h`, `90s`, `250ms`, `7d`; a bare number is seconds, as in Vault. To the
 * millisecond.
 *
 * @throws StrongroomError `cli.usage`
 */
export function parseDuration(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000;
  if (!/^(?:\d{1,12}(?:\.\d{1,9})?(?:ns|us|ms|[smhd]))+$/.test(text)) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot read ${JSON.stringify(text)} as a duration: write it as 90s, 1h30m or 7d`,
    );
  }
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/([\d.]+)(ns|us|ms|[smhd])/g)) {
    total += Number(count) * (unitMs[unit] ?? 0);
  }
  return Math.round(total);
}

/** @throws StrongroomError `cli.usage` */
export function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot read ${JSON.stringify(text)} as a number: write digits only`,
    );
  }
  return Number(text);
}

/** `1,2,5` or a repeated flag. @throws StrongroomError `cli.usage` */
export function parseVersions(text: string, before: readonly number[] = []): number[] {
  return [...before, ...text.split(',').map((one) => parseCount(one.trim()))];
}
