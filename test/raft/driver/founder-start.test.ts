import { describe, expect, it } from 'vitest';
import { DigestMachine } from '../../../chaos/simulation/digest-machine.ts';
import { type DiskFates, SimulatedDisk } from '../../../chaos/simulation/simulated-disk.ts';
import type { Disk } from '../../../src/raft/driver/disk.ts';
import { openState } from '../../../src/raft/driver/open-state.ts';
import type { LogIndex, NodeId, Term } from '../../../src/raft/index.ts';
import { DEFAULT_TUNING } from '../../../src/raft/index.ts';
import { quietLogger } from '../../../src/telemetry/index.ts';

const identity = { clusterId: '0f'.repeat(16), groupId: 1, node: 1 as NodeId };
const founders = { voters: [1 as NodeId], learners: [], removed: [] };
const nobody = { voters: [], learners: [], removed: [] };

function open(disk: Disk, sidecarDisk: Disk, bootstrap?: typeof founders) {
  return openState({
    identity,
    incarnation: undefined,
    disk,
    sidecarDisk,
    stateMachine: new DigestMachine(),
    bootstrap,
    tuning: DEFAULT_TUNING,
    log: quietLogger,
  });
}

/** Fails the `count`th write of a life, and everything after it. */
function failingFrom(count: number): DiskFates {
  let writes = 0;
  return {
    next: (operation) => {
      if (operation === 'read') return { delayMs: 0 };
      writes += 1;
      return writes < count ? { delayMs: 0 } : { delayMs: 0, error: 'ENOSPC' };
    },
    after: (_delayMs, then) => then(),
  };
}

describe('the first start of a founder', () => {
  it('is made up for by the next one, at whatever write it broke off', async () => {
    let brokenOff = 0;
    for (let count = 1; ; count++) {
      const log = new SimulatedDisk();
      const sidecar = new SimulatedDisk();
      // One after the other: the fates of both are counted together.
      const fates = failingFrom(count);
      const first = await open(log.attach(fates), sidecar.attach(fates), founders).catch(
        () => undefined,
      );
      if (first !== undefined) break;
      brokenOff += 1;
      log.killProcess();
      sidecar.killProcess();
      const { initial, recovering } = await open(log.attach(), sidecar.attach(), founders);
      expect({ count, ...initial, recovering }).toMatchObject({
        count,
        membership: founders,
        recovering: false,
      });
    }
    expect(brokenOff).toBeGreaterThan(3);
  });

  it('is not repeated once a term was entered, even if the log is gone', async () => {
    const sidecar = new SimulatedDisk();
    const { highWater, mark } = await open(
      new SimulatedDisk().attach(),
      sidecar.attach(),
      founders,
    );
    await highWater.write({ ...mark, term: 1 as Term, vote: 1 as NodeId });
    sidecar.killProcess();
    const again = await open(new SimulatedDisk().attach(), sidecar.attach(), founders);
    expect(again.initial.membership).toEqual(nobody);
    expect(again.recovering).toBe(true);
  });

  it('is not repeated once an entry was promised, even if the log is gone', async () => {
    const sidecar = new SimulatedDisk();
    const { highWater, mark } = await open(
      new SimulatedDisk().attach(),
      sidecar.attach(),
      founders,
    );
    await highWater.write({ ...mark, lastIndex: 1 as LogIndex, lastTerm: 1 as Term });
    sidecar.killProcess();
    const again = await open(new SimulatedDisk().attach(), sidecar.attach(), founders);
    expect(again.initial.membership).toEqual(nobody);
    expect(again.recovering).toBe(true);
  });
});

it('a joiner whose first start broke off goes on to give no votes', async () => {
  const sidecar = new SimulatedDisk();
  await open(new SimulatedDisk().attach(failingFrom(1)), sidecar.attach()).catch(() => undefined);
  sidecar.killProcess();
  const again = await open(new SimulatedDisk().attach(), sidecar.attach());
  expect(again.recovering).toBe(true);
});
