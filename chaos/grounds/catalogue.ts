import type { GroundName } from '../scenario/scenario.ts';
import { containerGround } from './containers/container-ground.ts';
import type { Ground } from './ground.ts';
import { liveGroundOf } from './live/live-ground.ts';
import { processGround } from './processes/process-ground.ts';
import { simulationGround } from './simulation/simulation-ground.ts';

/** The grounds that this build has. `docs/chaos.md` says how to add one. */
export const grounds: Readonly<Partial<Record<GroundName, Ground>>> = {
  simulation: simulationGround,
  processes: processGround,
  containers: containerGround,
  live: liveGroundOf(undefined),
};
