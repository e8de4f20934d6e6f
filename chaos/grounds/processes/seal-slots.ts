import { randomInt } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSoftHsm, initSoftHsmToken, type TokenAddress } from '../../../src/hsm/index.ts';
import type { NodeConfigInput } from '../../../src/server/config/index.ts';
import type { ClusterShape } from '../../scenario/scenario.ts';

type Slots = NodeConfigInput['seal']['slots'];

/** Why this ground cannot give a cluster that seal; undefined when it can. */
export function missingForSeal(seal: ClusterShape['seal']): string | undefined {
  switch (seal) {
    case 'dev':
      return undefined;
    case 'pkcs11':
      return findSoftHsm() === undefined
        ? 'the seal "pkcs11" needs SoftHSM: apt-get install softhsm2'
        : undefined;
    case 'shamir':
      return 'the seal "shamir" needs people with shares: choose pkcs11 or dev on local processes';
  }
}

/** One SoftHSM token for a whole cluster, in a folder of its own, and the nodes' PIN files. */
export class ClusterToken {
  readonly directory: string;
  readonly address: TokenAddress;
  readonly #pin: string;

  private constructor(directory: string, address: TokenAddress, pin: string) {
    this.directory = directory;
    this.address = address;
    this.#pin = pin;
  }

  static async create(folder: string): Promise<ClusterToken> {
    const directory = join(folder, 'softhsm');
    await mkdir(directory, { mode: 0o700 });
    const pin = String(randomInt(100_000_000, 1_000_000_000));
    const soPin = String(randomInt(100_000_000, 1_000_000_000));
    const address = await initSoftHsmToken({ directory, label: 'chaos', pin, soPin });
    return new ClusterToken(directory, address, pin);
  }

  /**
   * What the configuration of a node says of its seal, when it reaches the token at `link`, or
   * without any. Over a link the key is of another kind: p11-kit carries no parameters of AES-GCM.
   */
  async slots(node: string, link?: TokenAddress): Promise<Slots> {
    await this.rightPin(node);
    const { module, label, environment } = link ?? this.address;
    return [
      {
        name: 'hsm',
        kind: 'pkcs11',
        module,
        token: label,
        ...(link === undefined ? {} : { mechanism: 'rsa-oaep-sha1' as const }),
        pinFile: this.#pinFile(node),
        ...(environment === undefined ? {} : { environment: { ...environment } }),
      },
    ];
  }

  /** The way back is `rightPin`: the PIN itself stays in this process's memory. */
  wrongPin(node: string): Promise<void> {
    // One digit longer: never by chance the right one.
    return this.#writePin(node, `${this.#pin}0`);
  }

  rightPin(node: string): Promise<void> {
    return this.#writePin(node, this.#pin);
  }

  /** Who opens a session from now on finds no token. */
  async remove(): Promise<void> {
    await rename(join(this.directory, 'tokens'), join(this.directory, 'tokens.away'));
    await mkdir(join(this.directory, 'tokens'), { mode: 0o700 });
  }

  async putBack(): Promise<void> {
    const away = join(this.directory, 'tokens.away');
    if ((await stat(away).catch(() => undefined)) === undefined) return;
    await rm(join(this.directory, 'tokens'), { recursive: true, force: true });
    await rename(away, join(this.directory, 'tokens'));
  }

  // By renaming: a node must not read half a PIN and count it as refused.
  async #writePin(node: string, pin: string): Promise<void> {
    const file = this.#pinFile(node);
    await writeFile(`${file}.new`, `${pin}\n`, { mode: 0o400 });
    await rename(`${file}.new`, file);
  }

  #pinFile(node: string): string {
    return join(this.directory, `${node}.pin`);
  }
}
