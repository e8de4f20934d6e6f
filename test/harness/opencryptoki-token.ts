import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenAddress } from '../../src/hsm/index.ts';
import { PIN } from './softhsm.ts';

const MODULE = '/usr/lib/x86_64-linux-gnu/opencryptoki/libopencryptoki.so.0';
const DAEMON = '/usr/sbin/pkcsslotd';
/** Where its software token lives; the place is compiled in. */
const STATE = '/var/lib/opencryptoki/swtok';
const PID_FILE = '/run/pkcsslotd.pid';
const SHARED_MEMORY_KEY = '0x62006005';
const LABEL = 'strongroom-test';

/**
 * openCryptoki's software token, the one at hand that locks its PIN: `apt-get install opencryptoki`.
 * It is a service of the whole machine, so its tests want root and nobody else using it.
 */
export const openCryptokiUsable =
  existsSync(MODULE) && existsSync(DAEMON) && process.getuid?.() === 0 && !daemonRuns();
if (!openCryptokiUsable) {
  console.warn('openCryptoki is not installed, in use, or we are not root: its tests are skipped');
}

const INITIALIZE = `
  const p = require(process.argv[1]);
  const [, , module, label, pin] = process.argv;
  const initial = '87654321', soPin = '76543210', first = '1111';
  const m = new p.PKCS11();
  m.load(module);
  m.C_Initialize({ flags: p.CKF_OS_LOCKING_OK });
  const slot = m.C_GetSlotList(true).find((each) => m.C_GetTokenInfo(each).model.includes('Soft'));
  m.C_InitToken(slot, initial, label.padEnd(32, ' '));
  const session = m.C_OpenSession(slot, p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION);
  m.C_Login(session, p.CKU_SO, initial);
  m.C_SetPIN(session, initial, soPin);
  m.C_InitPIN(session, first);
  m.C_Logout(session);
  m.C_Login(session, p.CKU_USER, first);
  m.C_SetPIN(session, first, pin);
  m.C_Logout(session);
`;

/** A fresh token; whatever was there before is put back when its scope ends. */
export class OpenCryptokiToken implements AsyncDisposable {
  readonly address: TokenAddress = { module: MODULE, label: LABEL };
  readonly #daemon: ChildProcess;
  readonly #backup = mkdtempSync(join(tmpdir(), 'strongroom-ock-'));

  constructor() {
    cpSync(STATE, this.#backup, { recursive: true });
    empty(STATE);
    mkdirSync(join(STATE, 'TOK_OBJ'), { recursive: true, mode: 0o770 });
    for (const folder of ['/run/lock/opencryptoki', '/run/lock/opencryptoki/swtok']) {
      mkdirSync(folder, { recursive: true, mode: 0o770 });
      execFileSync('chgrp', ['pkcs11', folder]);
    }
    this.#daemon = spawn(DAEMON, ['-f'], { stdio: 'ignore' });
  }

  /** Waits for the daemon by asking until it answers. */
  initialize(): void {
    const binding = createRequire(import.meta.url).resolve('pkcs11js');
    for (let tries = 20; ; tries--) {
      try {
        execFileSync(process.execPath, ['-e', INITIALIZE, binding, MODULE, LABEL, PIN], {
          stdio: 'pipe',
        });
        return;
      } catch (error) {
        if (tries === 0 || this.#daemon.exitCode !== null) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#daemon.once('exit', resolve));
    // It ignores SIGTERM while it believes that clients are attached, and ours were killed.
    this.#daemon.kill('SIGKILL');
    await ended;
    rmSync(PID_FILE, { force: true });
    // The daemon takes its memory with it when it ends in time; what is gone already is well.
    spawnSync('ipcrm', ['-M', SHARED_MEMORY_KEY], { stdio: 'ignore' });
    empty(STATE);
    cpSync(this.#backup, STATE, { recursive: true });
    rmSync(this.#backup, { recursive: true, force: true });
  }
}

/** A file alone says little: a daemon that was killed leaves it behind. */
function daemonRuns(): boolean {
  return existsSync(PID_FILE) && existsSync(`/proc/${readFileSync(PID_FILE, 'utf8').trim()}`);
}

function empty(folder: string): void {
  for (const name of readdirSync(folder)) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}
