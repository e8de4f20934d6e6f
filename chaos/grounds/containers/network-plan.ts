/** A host of a run: a node, or the HSM, which is in no region. */
export interface PlannedHost {
  readonly name: string;
  readonly region: string | undefined;
}

/** A host that is on the network. */
export interface PlacedHost extends PlannedHost {
  readonly address: string;
}

/** Of the HSM, which is behind the router for every region. */
const withoutRegion = 'hsm';

/** The network that a host is on: that of its region. A region may be called anything. */
export function networkOf({ region }: PlannedHost): string {
  return region === undefined ? withoutRegion : `region-${region}`;
}

/** The engine's name for a network or a container of a run. */
export const nameInEngine = (run: string, name: string) => `strongroom-${run}-${name}`;
