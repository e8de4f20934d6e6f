import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from '../telemetry/index.ts';

/**
 * Switches core dumps of this process off: a dump would hold every key that is in memory. Node has
 * no call for the limit, so `prlimit` of util-linux sets it.
 */
export async function disableCoreDumps(log: Logger): Promise<void> {
  try {
    await promisify(execFile)('prlimit', ['--core=0:0', '--pid', String(process.pid)]);
  } catch (error) {
    log.warn(
      { error: String(error) },
      'Could not switch core dumps off; set the limit where the node is started (ulimit -c 0)',
    );
  }
}
