import { join } from 'node:path';
import { pinFromDescriptor, pinFromFile } from '../../hsm/index.ts';
import { StrongroomError, unreachable } from '../../lib/index.ts';
import type { SlotConfig } from '../../seal/index.ts';
import type { NodeConfig, SealSlotConfig } from '../config/index.ts';

/** A slot of the configuration file as the seal takes it. */
export function slotConfigOf(slot: SealSlotConfig, config: NodeConfig): SlotConfig {
  switch (slot.kind) {
    case 'shamir':
      return { kind: 'shamir', name: slot.name };
    case 'dev':
      return {
        kind: 'dev',
        name: slot.name,
        path: slot.path ?? join(config.dataDir, 'dev-seal.key'),
      };
    case 'pkcs11':
      return {
        kind: 'pkcs11',
        name: slot.name,
        token: {
          module: slot.module,
          label: slot.token,
          ...(slot.serial === undefined ? {} : { serial: slot.serial }),
          ...(slot.environment === undefined ? {} : { environment: slot.environment }),
        },
        pin: pinSourceOf(slot),
        mechanism: slot.mechanism,
      };
    default:
      return unreachable(slot);
  }
}

function pinSourceOf(slot: Extract<SealSlotConfig, { readonly kind: 'pkcs11' }>) {
  if (slot.pinFile !== undefined) return pinFromFile(slot.pinFile);
  if (slot.pinFd !== undefined) return pinFromDescriptor(slot.pinFd);
  throw new StrongroomError(
    'config.invalid',
    `Cannot use seal slot "${slot.name}": it names neither pinFile nor pinFd`,
  );
}
