import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { StrongroomError } from '../../src/lib/index.ts';
import { libraryNames } from '../cli/library.ts';
import { unknownWord } from '../scenario/assertion.ts';
import { parseDurationMs } from '../scenario/units.ts';

export interface LongOptions {
  /** Each scenario is run again and again for at least this long. */
  readonly forMs: number;
  readonly scenarios: readonly string[];
  /** The first seed; each further run of a scenario takes the next. */
  readonly fromSeed: number;
  /** Where results and the folders of runs that failed lie; one that has results is gone on with. */
  readonly folder: string;
  readonly format: 'table' | 'json';
}

const FORMATS: readonly string[] = ['table', 'json'];

/** @throws StrongroomError `cli.usage` for whatever cannot be meant. */
export function parseOptions(words: readonly string[], startedAt: Date): LongOptions {
  const values = valuesOf(words);
  const forMs = parseDurationMs(values.for);
  if (forMs === undefined) throw usage(`--for "${values.for}" should be written like 10m or 20s`);
  const fromSeed = Number(values.from);
  if (!Number.isSafeInteger(fromSeed) || fromSeed < 0)
    throw usage(`--from "${values.from}" should be a whole number`);
  const { format } = values;
  if (!FORMATS.includes(format)) throw usage(unknownWord('format', format, FORMATS));
  const known = libraryNames();
  const scenarios = values.only?.split(',').map((name) => name.trim()) ?? known;
  const unknown = scenarios.find((name) => !known.includes(name));
  if (unknown !== undefined) throw usage(unknownWord('scenario', unknown, known));
  const stamp = startedAt.toISOString().replaceAll(/[:.]/g, '-');
  const folder = resolve(values.out ?? `chaos-runs/long-${stamp}`);
  return { forMs, scenarios, fromSeed, folder, format: format as LongOptions['format'] };
}

function valuesOf(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        for: { type: 'string', default: '10m' },
        only: { type: 'string' },
        from: { type: 'string', default: '1' },
        out: { type: 'string' },
        format: { type: 'string', default: 'table' },
      },
    }).values;
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error));
  }
}

const usage = (message: string) => new StrongroomError('cli.usage', message);
