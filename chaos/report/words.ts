import type { ClusterShape } from '../scenario/scenario.ts';

/** A moment of a run, in seconds or minutes and seconds: "12.5 s", "3:05". */
export function momentWords(ms: number): string {
  if (ms < 99_950) return `${Number((ms / 1_000).toFixed(ms < 1_000 ? 3 : 1))} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** "1,204". */
export const countWords = (count: number) => count.toLocaleString('en-GB');

/** "3 faults", "1 fault". */
export const plural = (count: number, one: string, many = `${one}s`) =>
  `${countWords(count)} ${count === 1 ? one : many}`;

/** "3 voters in local; replicas: 2 in west". */
export function clusterWords({ nodes }: ClusterShape): string {
  const byRegion = (kind: 'voter' | 'replica') => {
    const counts = new Map<string, number>();
    for (const node of nodes)
      if (node.kind === kind) counts.set(node.region, (counts.get(node.region) ?? 0) + 1);
    return [...counts].map(([region, count]) => ({ region, count }));
  };
  const words = (kind: 'voter' | 'replica', one: string) =>
    byRegion(kind).map(({ region, count }) => `${plural(count, one)} in ${region}`);
  return [...words('voter', 'voter'), ...words('replica', 'read replica')].join(', ');
}

/** Text that is not longer than a reader wants; the record has the rest. */
export const shortened = (text: string, lengthMax: number) =>
  text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;

/** A word for a shell: quoted where it must be. */
export const shellWord = (word: string) =>
  /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
