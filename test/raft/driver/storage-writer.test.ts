import { describe, expect, it } from 'vitest';
import { SimulatedDisk } from '../../../chaos/simulation/simulated-disk.ts';
import { type Clock, utf8Bytes } from '../../../src/lib/index.ts';
import type { Ready } from '../../../src/raft/core/index.ts';
import { driverMetrics } from '../../../src/raft/driver/driver-metrics.ts';
import {
  type HighWater,
  HighWaterFile,
  NO_HIGH_WATER,
} from '../../../src/raft/driver/log/high-water.ts';
import { RaftLog } from '../../../src/raft/driver/log/raft-log.ts';
import { StorageWriter } from '../../../src/raft/driver/storage-writer.ts';
import type { Entry, LogIndex, NodeId, Term } from '../../../src/raft/index.ts';
import { quietMetrics } from '../../../src/telemetry/index.ts';

const identity = { clusterId: '0f'.repeat(16), groupId: 1, node: 3 as NodeId };
const nobody = { voters: [], learners: [], removed: [] };
const MARK_LAG_MS = 1_000;

const entry = (index: number, term: number): Entry => ({
  index: index as LogIndex,
  term: term as Term,
  kind: 'command',
  data: utf8Bytes(`${index} of ${term}`),
});

function appends(...append: readonly Entry[]): Ready {
  const nothing = { sendNow: [], afterPersist: [], apply: [], reads: [], failedReads: [] };
  const absent = { soft: undefined, hard: undefined, snapshot: undefined, receipt: undefined };
  return { ...nothing, ...absent, append, mustSync: true };
}

async function openWriter(marked: Partial<HighWater>) {
  const logDisk = new SimulatedDisk();
  const sidecar = new SimulatedDisk();
  const applied = { index: 0 as LogIndex, term: 0 as Term, membership: nobody };
  const { log: raftLog } = await RaftLog.open({
    disk: logDisk.attach(),
    identity,
    applied,
    segmentBytesMax: 1 << 20,
    windowBytesMax: 1 << 20,
    onDamage: async () => {},
  });
  const highWater = await HighWaterFile.open(sidecar.attach(), identity);
  const mark = { ...NO_HIGH_WATER, ...marked };
  await highWater.write(mark);
  let nowMs = 0;
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    after: () => ({ cancel: () => {} }),
  };
  const writer = new StorageWriter(
    {
      raftLog,
      highWater,
      clock,
      metrics: driverMetrics(quietMetrics),
      markLagMs: MARK_LAG_MS,
      logKeepBytes: 0,
      onDurable: () => {},
      onFailure: (error) => {
        throw error;
      },
    },
    mark,
  );
  const submit = (ready: Ready): void => {
    raftLog.stage(ready.append);
    writer.submit(ready);
  };
  const marksOnDisk = async () =>
    (await HighWaterFile.open(sidecar.attach(), identity)).current() ?? NO_HIGH_WATER;
  const passMs = (ms: number): void => {
    nowMs += ms;
  };
  return { writer, submit, marksOnDisk, passMs };
}

describe('the writer of a node’s storage', () => {
  it.each([true, false])(
    'has it on disk that the node is recovering (%s) before it says so, whatever is being written',
    async (recovering) => {
      const { writer, submit, marksOnDisk, passMs } = await openWriter({ recovering: !recovering });
      submit(appends(entry(1, 1), entry(2, 1), entry(3, 1)));
      passMs(MARK_LAG_MS);
      await writer.idle();
      expect((await marksOnDisk()).lastIndex).toBe(3);
      // The mark is lowered before the end of the log is replaced: its write is under way.
      submit(appends(entry(2, 2)));
      await writer.setRecovering(recovering);
      expect((await marksOnDisk()).recovering).toBe(recovering);
    },
  );
});
