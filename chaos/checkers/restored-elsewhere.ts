import type { Checker, Evidence, Judgement } from './checker.ts';
import { violation } from './entries.ts';
import { contentsOf, reader } from './same-state.ts';

/** Saves a snapshot, restores it into a cluster on other disks, and reads everything on both. */
export const restoredElsewhere: Checker = {
  name: 'restored-elsewhere',
  summary: 'a snapshot, restored on new hardware, has every secret, policy and mount',
  judges: [],
  async check({ cluster, signal }: Evidence): Promise<Judgement> {
    if (cluster.elsewhere === undefined)
      return { kind: 'not-checked', because: 'this ground has no other machines to restore on' };
    const client = await cluster.client();
    try {
      if (client.saveSnapshot === undefined)
        return { kind: 'undecided', because: 'this ground cannot save snapshots' };
      // What stands in the snapshot is what is read: nothing is written any more.
      const before = await contentsOf(reader(client, undefined, 0, signal));
      const chunks: Uint8Array[] = [];
      const saving = client.saveSnapshot({ signal });
      await step('save the snapshot', async () => {
        for await (const chunk of saving) chunks.push(chunk);
      });
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      await using other = await cluster.elsewhere();
      const restored = await step('restore it', () => other.restore(streamOf(chunks)));
      const after = await contentsOf(reader(restored, undefined, 0, signal));
      return compareRestored(before, after, bytes);
    } finally {
      await client.close();
    }
  },
};

type Contents = Awaited<ReturnType<typeof contentsOf>>;

/** What was read of a cluster, against what was read of the one that was restored from it. */
export function compareRestored(before: Contents, after: Contents, bytes: number): Judgement {
  if (before === undefined || after === undefined)
    return { kind: 'undecided', because: 'there are too many secrets to compare' };
  if (before.size === 0) return { kind: 'undecided', because: 'there was nothing to restore' };
  for (const place of new Set([...before.keys(), ...after.keys()])) {
    if (!after.has(place)) return violation(`${place} is not in the cluster that was restored`);
    if (!before.has(place)) return violation(`${place} is only in the cluster that was restored`);
    if (before.get(place) !== after.get(place))
      return violation(`${place} is another one in the cluster that was restored`);
  }
  return {
    kind: 'ok',
    about: `${before.size} records from a snapshot of ${bytes} bytes, the same on new hardware`,
  };
}

/** What failed is told by what was being done: neither stream is tried again by itself. */
async function step<Result>(what: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot ${what}: ${why}`, { cause });
  }
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}
