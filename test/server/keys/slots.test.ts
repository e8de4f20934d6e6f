import { describe, expect, it } from 'vitest';
import type { NodeConfig, SealSlotConfig } from '../../../src/server/config/index.ts';
import { type AskPin, slotConfigOf } from '../../../src/server/keys/slots.ts';

const config = { dataDir: '/nowhere' } as NodeConfig;

/** What a node does with a slot whose PIN is typed, each time that it begins in its process. */
async function typed(name: string, ask: AskPin): Promise<string> {
  const slot: SealSlotConfig = {
    name,
    kind: 'pkcs11',
    module: '/nowhere/module.so',
    token: 'alpha',
    pinPrompt: true,
    mechanism: 'aes-gcm',
  };
  const made = slotConfigOf(slot, config, ask);
  if (made.kind !== 'pkcs11') throw new Error('it is another kind of slot');
  using pin = await made.pin.read();
  return Buffer.from(pin.reveal()).toString();
}

describe('a PIN that is typed', () => {
  it('is asked for once, though the node begins again', async () => {
    const questions: string[] = [];
    const ask: AskPin = async (question) => {
      questions.push(question);
      return '271828';
    };
    expect(await typed('once', ask)).toBe('271828');
    expect(await typed('once', ask)).toBe('271828');
    expect(questions).toEqual(['PIN of seal slot "once": ']);
  });

  it('is asked for at one slot after the other: there is one terminal', async () => {
    let asking = 0;
    let most = 0;
    const ask: AskPin = async (question) => {
      most = Math.max(most, ++asking);
      await new Promise(setImmediate);
      asking -= 1;
      return question;
    };
    const both = await Promise.all([typed('left', ask), typed('right', ask)]);
    expect(both).toEqual(['PIN of seal slot "left": ', 'PIN of seal slot "right": ']);
    expect(most).toBe(1);
  });

  it('says so when there is no terminal, or nothing was typed', async () => {
    for (const [answer, why] of [
      [undefined, 'no terminal'],
      ['', 'nothing was typed'],
    ] as const) {
      await expect(typed(`${typeof answer}`, async () => answer)).rejects.toMatchObject({
        code: 'hsm.pin-unreadable',
        message: expect.stringContaining(why),
      });
    }
  });
});
