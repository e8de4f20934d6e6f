import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { StrongroomError } from '../../lib/index.ts';
import { clientOf } from './clients.ts';
import { foundingFile, type LocalCluster, rootTokenFile, sharesFile } from './layout.ts';
import { SHARES } from './shares.ts';

const CALL_MS = 30_000;

/**
 * Initialises the founder, which runs. What comes of it is written down before this returns, so it
 * is not cut short.
 *
 * @returns `lost` when it was initialised before and the start was cut off before its root token was
 *   written down: nobody will ever hold it.
 * @throws StrongroomError `cli.usage` when the token was there and is not any more.
 */
export async function initialise(cluster: LocalCluster): Promise<'initialised' | 'lost'> {
  const { data, seal } = cluster.options;
  await using client = await clientOf(cluster, cluster.nodes.slice(0, 1));
  const { initialized } = await client.call('seal.status', {}, { timeoutMs: CALL_MS });
  if (initialized === true) {
    if (existsSync(foundingFile(data))) return 'lost';
    throw new StrongroomError(
      'cli.usage',
      `Cannot start the cluster in ${data}: its root token is not in ${rootTokenFile(data)} any more; put it back for the start, or remove the folder to begin anew`,
    );
  }
  const counts = seal === 'shamir' ? SHARES : {};
  const answer = await client.call('seal.init', counts, { timeoutMs: CALL_MS });
  const shares = answer['shares'] as readonly string[];
  // The shares first: a token without them could not be used after a restart.
  if (shares.length > 0) writeSecret(sharesFile(data), shares.join('\n'));
  writeSecret(rootTokenFile(data), String(answer['rootToken']));
  rmSync(foundingFile(data), { force: true });
  return 'initialised';
}

export function writeSecret(file: string, text: string): void {
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
}
