import { randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSoftHsm, initSoftHsmToken } from '../../../src/hsm/index.ts';
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

/** What the nodes' configuration says of their seal; makes a SoftHSM token where one is wanted. */
export async function sealSlots(seal: ClusterShape['seal'], folder: string): Promise<Slots> {
  if (seal !== 'pkcs11') return [{ name: 'dev', kind: 'dev', path: join(folder, 'dev-seal.key') }];
  const directory = join(folder, 'softhsm');
  await mkdir(directory, { mode: 0o700 });
  const pin = String(randomInt(100_000_000, 1_000_000_000));
  const soPin = String(randomInt(100_000_000, 1_000_000_000));
  const token = await initSoftHsmToken({ directory, label: 'chaos', pin, soPin });
  const pinFile = join(directory, 'pin');
  await writeFile(pinFile, `${pin}\n`, { mode: 0o400 });
  const { module, label, environment } = token;
  return [
    {
      name: 'hsm',
      kind: 'pkcs11',
      module,
      token: label,
      pinFile,
      ...(environment === undefined ? {} : { environment: { ...environment } }),
    },
  ];
}
