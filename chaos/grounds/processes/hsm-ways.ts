import type { TokenAddress } from '../../../src/hsm/index.ts';
import type { HsmLinkChange } from '../levers.ts';
import type { ClusterToken } from './seal-slots.ts';

/** The ways of a cluster's nodes to its HSM: each can be shaped, in layers, and broken off. */
export interface HsmWays extends AsyncDisposable {
  /** Nodes that have a way. */
  readonly nodes: readonly string[];
  /** Makes a way, and says where the node finds the token at the end of it. */
  open(node: string): Promise<TokenAddress>;
  lay(layer: string, nodes: readonly string[], change: HsmLinkChange): Promise<void>;
  lift(layer: string): Promise<void>;
  liftAll(): Promise<void>;
  /** Connections end; new ones may be made at once. @returns how many there were. */
  breakOff(nodes: readonly string[]): Promise<number>;
}

/** Makes a token reachable only by ways. */
export type ServeHsm = (token: ClusterToken) => Promise<HsmWays>;
