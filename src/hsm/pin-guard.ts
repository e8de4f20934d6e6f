import { createHmac } from 'node:crypto';
import { hasCode, hex, type Random, type SecretBytes, StrongroomError } from '../lib/index.ts';
import type { TokenFacts } from './agent/protocol.ts';

const REJECTED_MAX = 1024;

/**
 * Stands before every login. A token may lock or wipe itself after a few wrong PINs, so whatever
 * was refused once must not be presented again.
 */
export interface PinGuard {
  /**
   * Runs `login` unless this PIN is known to be wrong for this token.
   * @throws StrongroomError `hsm.pin-rejected` without a login when it is, or what `login` throws.
   */
  present(token: TokenFacts, pin: SecretBytes, login: () => Promise<void>): Promise<void>;
}

/**
 * Remembers refused PINs for the life of the process, under a random key: the memory says nothing
 * about the PINs to whoever reads it later. One guard serves all tokens of a process.
 */
export function createPinGuard(random: Random): PinGuard {
  const key = random.bytes(32);
  const rejected = new Set<string>();
  /** Presented, and the agent died before it could answer. */
  const unanswered = new Set<string>();

  return {
    async present(token, pin, login) {
      const mark = hex(
        createHmac('sha256', key).update(`${token.serial}\0`).update(pin.reveal()).digest(),
      );
      // The token's own counter tells whether the try that was never answered had been wrong.
      if (unanswered.delete(mark) && token.pinCountLow) rejected.add(mark);
      if (rejected.has(mark) || rejected.size >= REJECTED_MAX) throw refused(token);
      unanswered.add(mark);
      try {
        await login();
        unanswered.delete(mark);
      } catch (error) {
        const answered = !hasCode(error, 'hsm.timeout', 'hsm.module-crashed', 'hsm.closed');
        if (answered) unanswered.delete(mark);
        if (hasCode(error, 'hsm.pin-rejected')) rejected.add(mark);
        throw error;
      }
    },
  };
}

function refused(token: TokenFacts): StrongroomError {
  return new StrongroomError(
    'hsm.pin-rejected',
    `Token "${token.label}" has refused this PIN before, so it is not presented again: put the right one into the PIN source`,
    { details: { token: token.label } },
  );
}
