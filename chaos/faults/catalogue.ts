import { auditSink } from './audit.ts';
import { breakGlass } from './break-glass.ts';
import { certificateExpiry, clockJump, clockSkew, clockStrobe } from './clocks.ts';
import { cutTail, flipBits, replaceDisk, rollBackDisk } from './disk-damage.ts';
import { diskFull, failedSync, slowSync } from './disks.ts';
import type { Fault } from './fault.ts';
import {
  hsmSessionLost,
  hsmSlow,
  hsmTokenRemoved,
  hsmUnreachable,
  hsmWrongPin,
  unsealStorm,
} from './hsm.ts';
import { transferLeadership } from './leadership.ts';
import { corrupt, delay, duplicate, loss, reorder, slowLinks } from './links.ts';
import { clientStorm, fillLog, leaseStorm, snapshotPressure } from './load.ts';
import { demote, membershipChurn } from './membership.ts';
import { partition } from './partition.ts';
import { kill, pause, powerCut } from './processes.ts';
import { rollingRestart, upgrade } from './rolling.ts';
import { rotate, seal } from './seal.ts';

/** Every fault there is. `docs/chaos.md` says how to add one. */
export const faults: readonly Fault[] = [
  kill,
  powerCut,
  pause,
  rollingRestart,
  upgrade,
  partition,
  delay,
  loss,
  duplicate,
  reorder,
  corrupt,
  slowLinks,
  clockJump,
  clockSkew,
  clockStrobe,
  certificateExpiry,
  diskFull,
  failedSync,
  slowSync,
  flipBits,
  cutTail,
  rollBackDisk,
  replaceDisk,
  hsmUnreachable,
  hsmSlow,
  hsmSessionLost,
  hsmTokenRemoved,
  hsmWrongPin,
  unsealStorm,
  auditSink,
  transferLeadership,
  membershipChurn,
  leaseStorm,
  clientStorm,
  fillLog,
  snapshotPressure,
  demote,
  rotate,
  seal,
  breakGlass,
];

const byName = new Map(faults.map((fault) => [fault.name, fault]));

/** @throws Error for a name that the scenario reader has not checked. */
export function faultNamed(name: string): Fault {
  const fault = byName.get(name);
  if (fault === undefined) throw new Error(`No fault is called ${name}`);
  return fault;
}
