import type { NodeConfigInput } from '../../../src/server/config/index.ts';
import type { Launch } from './launch.ts';

/** Somewhere that the nodes of a cluster can live and reach one another. */
export interface Site {
  /** Makes room for nodes, before anything else is asked about them. */
  prepare(nodes: readonly { readonly name: string; readonly region: string }[]): Promise<void>;
  /** What a node's configuration says of its addresses, and of its ways to others. */
  addressesOf(name: string): Required<Pick<NodeConfigInput, 'api' | 'peer' | 'metrics'>>;
  /** How that node's program is started there. */
  launch(name: string): Launch;
}
