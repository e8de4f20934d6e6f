import { existsSync, readFileSync } from 'node:fs';
import { connect, type StrongroomClient } from '../../client/index.ts';
import { caFileOf, type LocalCluster, type LocalNode, rootTokenFile } from './layout.ts';

/** A client with the root token, to all voters or to the `nodes` given. */
export function clientOf(
  cluster: LocalCluster,
  nodes: readonly LocalNode[] = cluster.nodes.filter((node) => node.kind === 'voter'),
): Promise<StrongroomClient> {
  const { data, insecurePlaintext } = cluster.options;
  const tokenFile = rootTokenFile(data);
  return connect({
    addresses: nodes.map((node) => node.apiAddress),
    ...(insecurePlaintext ? { insecurePlaintext } : { ca: readFileSync(caFileOf(data), 'utf8') }),
    ...(existsSync(tokenFile) ? { token: readFileSync(tokenFile, 'utf8').trim() } : {}),
  });
}
