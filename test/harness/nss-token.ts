import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenAddress } from '../../src/hsm/index.ts';
import { PIN } from './softhsm.ts';

const MODULE = '/usr/lib/x86_64-linux-gnu/libsoftokn3.so';

/** NSS's software token: `apt-get install libnss3`. Outside of FIPS mode it lets keys out. */
export const nssInstalled = existsSync(MODULE);
if (!nssInstalled) console.warn('NSS softokn is not installed: its tests are skipped');

const SET_PIN = `
  const { PKCS11, CKF_SERIAL_SESSION, CKF_RW_SESSION, CKU_SO, CKF_OS_LOCKING_OK } =
    require(process.argv[1]);
  const module = new PKCS11();
  module.load(process.argv[2]);
  module.C_Initialize({ flags: CKF_OS_LOCKING_OK, libraryParameters: process.argv[3] + ' ' });
  const slot = module.C_GetSlotList(true)[1];
  const session = module.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION);
  module.C_Login(session, CKU_SO, '');
  module.C_InitPIN(session, process.argv[4]);
`;

/** A fresh NSS database with a PIN, gone when its scope ends. */
export class NssToken implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'strongroom-nss-'));
  readonly address: TokenAddress;

  constructor() {
    const libraryParameters = `configdir='sql:${this.directory}' certPrefix='' keyPrefix='' secmod='' flags=`;
    this.address = { module: MODULE, label: 'NSS Certificate DB', libraryParameters };
    const binding = createRequire(import.meta.url).resolve('pkcs11js');
    execFileSync(process.execPath, ['-e', SET_PIN, binding, MODULE, libraryParameters, PIN], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
