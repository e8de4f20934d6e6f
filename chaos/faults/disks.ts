import { z } from 'zod';
import { duration } from '../scenario/units.ts';
import { defineFault, lever } from './fault.ts';

/** A node that cannot keep what it promises ends, and says why. */
const ended = /disk-failed|Raft stopped on this node|ENOSPC|EIO/;
const disks = { targets: 'nodes', lasting: true } as const;
const FREE_MAX = 1024 ** 3;

export const diskFull = defineFault({
  ...disks,
  name: 'disk-full',
  felt: ended,
  summary: 'leaves nodes no space on their disks',
  danger: 'disruptive',
  parameters: z.strictObject({
    /** Bytes that are left. */
    free: z.int().min(0).max(FREE_MAX).default(0),
  }),
  needs: () => ['disk.full'],
  async inject({ cluster, id, nodes, parameters, undo }) {
    const disk = lever(cluster, 'disk');
    const processes = lever(cluster, 'process');
    // A node ends by itself when it cannot write: undone in reverse, so space comes first.
    for (const node of nodes) undo(`start ${node}`, () => processes.start(node));
    undo('give the disks their space back', () => disk.unlimit(id));
    await disk.limit(id, nodes, parameters.free);
  },
});

export const failedSync = defineFault({
  ...disks,
  name: 'fsync-fails',
  felt: ended,
  summary: 'lets every fsync of nodes fail, after which they cannot trust their disks',
  danger: 'disruptive',
  parameters: z.strictObject({}),
  needs: () => ['disk.sync', 'process.kill'],
  async inject({ cluster, id, nodes, undo }) {
    const disk = lever(cluster, 'disk');
    const processes = lever(cluster, 'process');
    for (const node of nodes) undo(`start ${node}`, () => processes.start(node));
    undo('let fsync work', () => disk.liftSync(id));
    await disk.laySync(id, nodes, { fails: true });
  },
});

export const slowSync = defineFault({
  ...disks,
  name: 'fsync-slow',
  summary: 'lets every fsync of nodes take longer',
  danger: 'mild',
  parameters: z.strictObject({ by: duration() }),
  needs: () => ['disk.sync'],
  async inject({ cluster, id, nodes, parameters, undo }) {
    const disk = lever(cluster, 'disk');
    undo('let fsync be quick', () => disk.liftSync(id));
    await disk.laySync(id, nodes, { delayMs: parameters.by });
  },
});
