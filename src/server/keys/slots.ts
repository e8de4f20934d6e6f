import { join } from 'node:path';
import { type PinSource, pinFromDescriptor, pinFromFile, pinFromPrompt } from '../../hsm/index.ts';
import { KeyedMutex, StrongroomError, unreachable } from '../../lib/index.ts';
import type { SlotConfig } from '../../seal/index.ts';
import type { NodeConfig, SealSlotConfig } from '../config/index.ts';

/** Asks whoever sits at the terminal, without showing what is typed; undefined without a terminal. */
export type AskPin = (question: string) => Promise<string | undefined>;

/** Asked for once in the life of the process, however often a node begins again in it. */
const prompts = new Map<string, PinSource>();
/** There is one terminal. */
const terminal = new KeyedMutex();

/** A slot of the configuration file as the seal takes it. */
export function slotConfigOf(slot: SealSlotConfig, config: NodeConfig, askPin: AskPin): SlotConfig {
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
        pin: pinSourceOf(slot, askPin),
        mechanism: slot.mechanism,
      };
    default:
      return unreachable(slot);
  }
}

function pinSourceOf(
  slot: Extract<SealSlotConfig, { readonly kind: 'pkcs11' }>,
  askPin: AskPin,
): PinSource {
  if (slot.pinFile !== undefined) return pinFromFile(slot.pinFile);
  if (slot.pinFd !== undefined) return pinFromDescriptor(slot.pinFd);
  const prompt = prompts.get(slot.name) ?? pinFromPrompt(() => askFor(slot.name, askPin));
  prompts.set(slot.name, prompt);
  return prompt;
}

function askFor(slot: string, askPin: AskPin): Promise<string> {
  return terminal.run('', async () => {
    const typed = await askPin(`PIN of seal slot "${slot}": `);
    if (typed !== undefined && typed !== '') return typed;
    throw new StrongroomError(
      'hsm.pin-unreadable',
      `Cannot ask for the PIN of seal slot "${slot}": ${typed === '' ? 'nothing was typed' : 'there is no terminal, name a pinFile or a pinFd'}`,
    );
  });
}
