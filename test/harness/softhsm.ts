import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createPinGuard,
  findSoftHsm,
  initSoftHsmToken,
  type TokenAddress,
  type TokenOptions,
} from '../../src/hsm/index.ts';
import { SystemRandom, systemClock } from '../../src/lib/index.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';

/** Tests of tokens need SoftHSM2: `apt-get install softhsm2`. */
export const softHsmInstalled = findSoftHsm() !== undefined;
if (!softHsmInstalled) console.warn('SoftHSM2 is not installed: its tests are skipped');

/** Some tests have another program at the token: `apt-get install opensc`. */
export const pkcs11ToolInstalled = spawnSync('pkcs11-tool', ['--version']).error === undefined;
if (!pkcs11ToolInstalled) console.warn('pkcs11-tool is not installed: its tests are skipped');

export const PIN = '271828';
export const SO_PIN = '31415926';

/** A folder of its own with SoftHSM tokens, gone when its scope ends. */
export class SoftHsm implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'strongroom-softhsm-'));

  makeToken(label: string, pin: string = PIN): Promise<TokenAddress> {
    return initSoftHsmToken({ directory: this.directory, label, pin, soPin: SO_PIN });
  }

  /** Writes a PIN file as an operator would; again, for another PIN. */
  pinFile(pin: string = PIN, name = 'pin', mode = 0o400): string {
    const path = join(this.directory, name);
    rmSync(path, { force: true });
    writeFileSync(path, `${pin}\n`);
    chmodSync(path, mode);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Everything that a token asks for, quiet; a guard of its own as if in a new process. */
export function tokenOptions(overrides: Partial<TokenOptions> = {}): TokenOptions {
  const random = new SystemRandom();
  return {
    clock: systemClock,
    random,
    log: quietLogger,
    metrics: quietMetrics,
    guard: createPinGuard(random),
    ...overrides,
  };
}
