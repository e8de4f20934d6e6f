import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StrongroomError, systemClock } from '../lib/index.ts';
import { AgentProcess } from './agent-process.ts';
import type { TokenAddress } from './token.ts';

const INIT_DEADLINE_MS = 30_000;

const MODULE_PATHS = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
] as const;

/** Path of the SoftHSM module on this machine, if it is installed in a usual place. */
export function findSoftHsm(): string | undefined {
  return MODULE_PATHS.find((path) => existsSync(path));
}

/** The variables that make SoftHSM look for its tokens in `directory`. */
export function softHsmEnvironment(directory: string): { readonly SOFTHSM2_CONF: string } {
  return { SOFTHSM2_CONF: join(directory, 'softhsm2.conf') };
}

/**
 * Makes a token in a directory of its own: for development and tests, where no real HSM is at hand.
 *
 * @throws StrongroomError `hsm.module-missing` when SoftHSM is not installed, `hsm.*` when it makes
 *   no token.
 */
export async function initSoftHsmToken(token: {
  readonly directory: string;
  readonly label: string;
  readonly pin: string;
  readonly soPin: string;
}): Promise<TokenAddress> {
  const module = findSoftHsm();
  if (module === undefined) {
    throw new StrongroomError(
      'hsm.module-missing',
      'Cannot make a SoftHSM token: SoftHSM is not installed, `apt-get install softhsm2` does it',
    );
  }
  const tokens = join(token.directory, 'tokens');
  mkdirSync(tokens, { recursive: true, mode: 0o700 });
  const environment = softHsmEnvironment(token.directory);
  writeFileSync(
    environment.SOFTHSM2_CONF,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    { mode: 0o600 },
  );
  const { label, pin, soPin } = token;
  const agent = new AgentProcess(systemClock, label, environment);
  try {
    await agent.call('initialize', [module, label, soPin, pin], INIT_DEADLINE_MS);
  } finally {
    agent.kill();
  }
  return { module, label, environment };
}
