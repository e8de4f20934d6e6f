import { describe, expect, it } from 'vitest';
import { DigestMachine } from '../../../chaos/simulation/digest-machine.ts';
import { SimulatedDisk } from '../../../chaos/simulation/simulated-disk.ts';
import { openState } from '../../../src/raft/driver/open-state.ts';
import { promiseMs } from '../../../src/raft/driver/tuning.ts';
import { DEFAULT_TUNING, type NodeId, type RaftTuning } from '../../../src/raft/index.ts';
import { quietLogger } from '../../../src/telemetry/index.ts';

const node = 1 as NodeId;

/** One start after another of a node on the same disks. */
function machine() {
  const [log, sidecar] = [new SimulatedDisk(), new SimulatedDisk()];
  return async (tuning: Partial<RaftTuning>) => {
    const { initial } = await openState({
      identity: { clusterId: '0f'.repeat(16), groupId: 1, node },
      incarnation: undefined,
      disk: log.attach(),
      sidecarDisk: sidecar.attach(),
      stateMachine: new DigestMachine(),
      bootstrap: { voters: [node], learners: [], removed: [] },
      tuning: { ...DEFAULT_TUNING, ...tuning },
      log: quietLogger,
    });
    log.killProcess();
    sidecar.killProcess();
    return initial.silentTicks;
  };
}

describe('a node that starts', () => {
  it('gives no vote for as long as its last process may have promised a leader', async () => {
    const start = machine();
    const leased = { ...DEFAULT_TUNING, leaseReads: true };
    expect(await start(leased)).toBe(0);
    const ticks = (await start(leased)) ?? 0;
    expect(ticks).toBe(DEFAULT_TUNING.electionTicks - 1);
    expect(ticks * (DEFAULT_TUNING.tickMs - 1)).toBeGreaterThanOrEqual(promiseMs(leased));
  });

  it('keeps that promise when leases were turned off, or ticks are shorter now', async () => {
    const start = machine();
    await start({ leaseReads: true });
    const promised = promiseMs({ ...DEFAULT_TUNING, leaseReads: true });
    for (const tickMs of [DEFAULT_TUNING.tickMs, 10]) {
      const ticks = (await start({ leaseReads: false, tickMs })) ?? 0;
      expect(ticks * (tickMs - 1)).toBeGreaterThanOrEqual(promised);
    }
  });

  it('owes nothing when leases were never on', async () => {
    const start = machine();
    await start({});
    expect(await start({ leaseReads: true })).toBe(0);
  });
});
