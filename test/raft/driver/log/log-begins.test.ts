import { describe, expect, it } from 'vitest';
import { SimulatedDisk } from '../../../../chaos/simulation/simulated-disk.ts';
import { utf8Bytes } from '../../../../src/lib/index.ts';
import { logBegins } from '../../../../src/raft/driver/log/log-begins.ts';
import { RaftLog } from '../../../../src/raft/driver/log/raft-log.ts';
import type { LogIndex, NodeId, Term } from '../../../../src/raft/index.ts';

const membership = { voters: [], learners: [], removed: [] };

describe('the first entry of a log that is not open', () => {
  it('is told without the log, before and after it was compacted', async () => {
    const disk = new SimulatedDisk();
    expect(await logBegins(disk.attach())).toBeUndefined();
    const { log } = await RaftLog.open({
      disk: disk.attach(),
      identity: { clusterId: '0f'.repeat(16), groupId: 1, node: 3 as NodeId },
      applied: { index: 0 as LogIndex, term: 0 as Term, membership },
      segmentBytesMax: 200,
      windowBytesMax: 1 << 20,
      onDamage: async () => {},
    });
    for (let index = 1; index <= 40; index++) {
      const data = utf8Bytes(`entry ${index}`);
      const entries = [
        { index: index as LogIndex, term: 1 as Term, kind: 'command', data },
      ] as const;
      log.stage(entries);
      await log.write([{ kind: 'entries', entries }]);
    }
    expect(await logBegins(disk.attach())).toBe(1);
    await log.compact(30 as LogIndex, 0);
    expect(log.firstIndex()).toBeGreaterThan(1);
    expect(await logBegins(disk.attach())).toBe(log.firstIndex());
  });

  it('is unknown when its oldest segment cannot be read', async () => {
    const disk = new SimulatedDisk();
    const attached = disk.attach();
    const file = await attached.openAppend('segment-0000000001.log');
    await file.append([utf8Bytes('nothing that a log begins with, and longer than a header is')]);
    await file.sync();
    expect(await logBegins(disk.attach())).toBeUndefined();
  });
});
