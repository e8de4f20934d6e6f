import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenAddress } from '../../src/hsm/index.ts';

const SPY = '/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so';

/** OpenSC's tracing module: `apt-get install opensc-pkcs11`. It prints PINs, so it is for tests only. */
export const spyInstalled = existsSync(SPY);
if (!spyInstalled) console.warn('pkcs11-spy is not installed: tests that count logins are skipped');

/** The same token, reached through a module that writes down every call. */
export function spied(
  address: TokenAddress,
  directory: string,
): { readonly address: TokenAddress; readonly logins: () => number } {
  const output = join(directory, 'spy.txt');
  return {
    address: {
      ...address,
      module: SPY,
      environment: {
        ...address.environment,
        PKCS11SPY: address.module,
        PKCS11SPY_OUTPUT: output,
      },
    },
    logins: () => {
      if (!existsSync(output)) return 0;
      return readFileSync(output, 'latin1').match(/^\d+: C_Login$/gm)?.length ?? 0;
    },
  };
}
