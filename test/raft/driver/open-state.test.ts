import { describe, expect, it } from 'vitest';
import {
  DigestMachine,
  DigestStorage,
  EMPTY_STATE,
} from '../../../chaos/simulation/digest-machine.ts';
import { SimulatedDisk } from '../../../chaos/simulation/simulated-disk.ts';
import { openState } from '../../../src/raft/driver/open-state.ts';
import { promiseMs } from '../../../src/raft/driver/tuning.ts';
import {
  DEFAULT_TUNING,
  type LogIndex,
  type NodeId,
  type RaftTuning,
  type Term,
} from '../../../src/raft/index.ts';
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

  it('has the state durable before its log begins after it, when the log before is lost', async () => {
    const [log, sidecar, state] = [new SimulatedDisk(), new SimulatedDisk(), new DigestStorage()];
    const membership = { voters: [node], learners: [], removed: [] };
    const open = () =>
      openState({
        identity: { clusterId: '0f'.repeat(16), groupId: 1, node },
        incarnation: undefined,
        disk: log.attach(),
        sidecarDisk: sidecar.attach(),
        stateMachine: new DigestMachine({ storage: state }),
        bootstrap: undefined,
        tuning: DEFAULT_TUNING,
        log: quietLogger,
      });
    await open();
    // Applied and not persisted: the log that it came from is what makes it safe, and is lost now.
    state.add({ ...EMPTY_STATE, index: 7 as LogIndex, term: 1 as Term, membership });
    log.wipe();
    sidecar.killProcess();
    const { raftLog } = await open();
    expect(raftLog.firstIndex()).toBe(8);
    state.crash(() => 0);
    expect(state.latest.index).toBe(7);
  });
});
