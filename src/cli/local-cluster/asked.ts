import { StrongroomError } from '../../lib/index.ts';
import type { LocalOptions } from './layout.ts';

/** What was asked for by a flag; absent where the flag was not given. */
export type Asked = Partial<Omit<LocalOptions, 'data'>>;

const flags = {
  seal: '--seal',
  basePort: '--base-port',
  insecurePlaintext: '--insecure-plaintext',
  tickMs: '--tick-ms',
} as const satisfies Partial<Record<keyof LocalOptions, string>>;

/**
 * What a cluster that exists becomes when `up` is given flags: more voters or replicas are added,
 * everything else stays as it was laid out.
 *
 * @throws StrongroomError `cli.usage` naming every flag that cannot be followed.
 */
export function mergeOptions(before: LocalOptions, asked: Asked): LocalOptions {
  const refused: string[] = [];
  for (const [name, flag] of Object.entries(flags) as [keyof typeof flags, string][]) {
    if (asked[name] === undefined || asked[name] === before[name]) continue;
    refused.push(`${flag} (it has ${String(before[name] ?? 'the default')})`);
  }
  const { voters = before.voters, replicas = before.replicas } = asked;
  if (voters < before.voters) refused.push(`--voters (it has ${before.voters})`);
  const gone = missing(before.replicas, replicas);
  if (gone.length > 0) refused.push(`--replica (it has one in ${gone.join(', ')})`);
  if (refused.length === 0) return { ...before, voters, replicas };
  throw new StrongroomError(
    'cli.usage',
    `Cannot follow ${refused.join(', ')}: the cluster in ${before.data} exists, and "up" only adds nodes to it; leave the flag out, or name another folder with --data`,
  );
}

/** Entries of `all` that `kept` has too few of. */
function missing(all: readonly string[], kept: readonly string[]): readonly string[] {
  const left = [...kept];
  return all.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
