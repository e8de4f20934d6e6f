import { createHash, scrypt } from 'node:crypto';
import type { PinGuard, TokenFacts } from '../hsm/index.ts';
import {
  type Cancellation,
  type Clock,
  hasCode,
  hex,
  lengthPrefixed,
  type Random,
  type SecretBytes,
  StrongroomError,
  utf8Bytes,
} from '../lib/index.ts';
import { PinRecord } from './pin-record.ts';
import type { SealRecords } from './records.ts';

/** From the moment that a claim is written to the login itself; a node that is later claims anew. */
const CLAIM_TO_LOGIN_MS = 5_000;
const REJECTED_KEPT = 16;
const SETTLE_AGAIN_MS = 1_000;

export interface ClusterPinGuardOptions {
  readonly slot: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly records: SealRecords;
  readonly clock: Clock;
  readonly random: Random;
  /** This process's own memory, asked first. */
  readonly local: PinGuard;
  /** How long a login may take. */
  readonly loginMs: number;
  /** Ends the waiting for other nodes. */
  readonly signal: Cancellation;
}

/**
 * A wrong PIN is presented once by the whole cluster. Before a login, a node writes into a
 * replicated record that it is about to present a PIN; afterwards, that it was right (the claim
 * goes) or refused (its tag stays). Other nodes wait for the answer, and do not present a PIN whose
 * tag is among the refused. So a bad roll-out to three nodes costs one try, not three, and tokens
 * that lock after three live.
 *
 * The tag must not be a way to guess PINs, which have few digits: it is one single byte, cut from
 * scrypt over cluster, token and PIN. Whoever reads the record learns 8 bits of a PIN that is
 * *wrong*, and nothing of a right one, of which no tag is kept. The price: one PIN in 256 looks like
 * one that was refused, although it is another; `Seal.forgetRejectedPins` is for that.
 */
export class ClusterPinGuard implements PinGuard {
  readonly #options: ClusterPinGuardOptions;
  readonly #record: PinRecord;
  /** Tells this process's claims from those of an earlier life of the same node. */
  readonly #self: string;
  #claims = 0;
  /** Another node's claim that stood for as long as a login may take, so nobody answers it. */
  #unanswered: string | undefined;

  constructor(options: ClusterPinGuardOptions) {
    this.#options = options;
    this.#record = new PinRecord(options.records, options.slot);
    this.#self = `${options.nodeId}/${hex(options.random.bytes(8))}`;
  }

  async present(token: TokenFacts, pin: SecretBytes, login: () => Promise<void>): Promise<void> {
    const tag = await pinTag(this.#options.clusterId, token.serial, pin);
    const claim = await this.#claim(token, tag);
    try {
      await this.#options.local.present(token, pin, login);
    } catch (error) {
      // When the agent died, the claim stays: the token's own counter tells later how it ended.
      if (hasCode(error, 'hsm.timeout', 'hsm.module-crashed', 'hsm.closed')) throw error;
      await this.#settle(claim, hasCode(error, 'hsm.pin-rejected') ? tag : undefined);
      throw error;
    }
    // The token is open: nothing here waits for the others to hear of it.
    void this.#settle(claim, undefined);
  }

  /** @returns the claim, which nobody else holds now. */
  async #claim(token: TokenFacts, tag: string): Promise<string> {
    const { clock } = this.#options;
    const refusedAtFirst = this.#record.read().state.rejected;
    for (;;) {
      const before = this.#record.read();
      const { claim, rejected } = before.state;
      if (rejected.includes(tag)) throw this.#refused(token);
      if (rejected.some((one) => !refusedAtFirst.includes(one))) {
        throw this.#lookAgain(token, 'has just had a PIN refused');
      }
      if (claim !== undefined) {
        if (!this.#isOwn(claim) && claim !== this.#unanswered) {
          await this.#awaitAnswer(token, claim);
          continue;
        }
        // Whoever claimed before never told the outcome, and perhaps it was this very PIN. The token
        // knows: a counter that is low means that the last try was wrong.
        if (token.pinCountLow) throw this.#brokeOff(token);
      }
      const began = clock.monotonicMs();
      const own = `${this.#self}/${++this.#claims}`;
      try {
        if (!(await this.#record.replace(before, { rejected, claim: own }))) continue;
      } catch (error) {
        // It may have been written all the same, and nobody presents anything under it.
        void this.#settleLater(own, undefined);
        throw error;
      }
      // Later than that, the others may have given this claim up already.
      if (clock.monotonicMs() - began < CLAIM_TO_LOGIN_MS) return own;
    }
  }

  /**
   * Resolves when the claim of another node is gone or changed.
   * @throws StrongroomError `hsm.unavailable` when nobody answers it any more: the counter of the
   *   token, read before the wait, has to be read again.
   */
  async #awaitAnswer(token: TokenFacts, claim: string): Promise<void> {
    const { clock, loginMs, signal } = this.#options;
    const before = this.#record.read();
    if (before.state.claim !== claim) return;
    const ms = loginMs + CLAIM_TO_LOGIN_MS;
    const isUnanswered = await this.#record.unchangedFor(ms, before, clock, signal);
    if (signal.aborted) throw this.#closed(token);
    if (!isUnanswered) return;
    this.#unanswered = claim;
    if (!token.pinCountLow) throw this.#lookAgain(token, 'has not told how its login went');
  }

  /** Takes the claim back and keeps what was refused; in the background when it cannot be at once. */
  async #settle(claim: string, refusedTag: string | undefined): Promise<void> {
    if (await this.#trySettle(claim, refusedTag)) return;
    void this.#settleLater(claim, refusedTag);
  }

  async #settleLater(claim: string, refusedTag: string | undefined): Promise<void> {
    const { clock, signal } = this.#options;
    do {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          timer.cancel();
          signal.removeEventListener('abort', end);
          resolve();
        };
        const timer = clock.after(SETTLE_AGAIN_MS, end);
        signal.addEventListener('abort', end);
        if (signal.aborted) end();
      });
      // A node that stops leaves its claim: in its next life it knows it for its own.
    } while (!signal.aborted && !(await this.#trySettle(claim, refusedTag)));
  }

  async #trySettle(claim: string, refusedTag: string | undefined): Promise<boolean> {
    const before = this.#record.read();
    const { state } = before;
    const rejected =
      refusedTag === undefined || state.rejected.includes(refusedTag)
        ? state.rejected
        : [...state.rejected, refusedTag].slice(-REJECTED_KEPT);
    const stays = state.claim === undefined || state.claim === claim ? {} : { claim: state.claim };
    try {
      return await this.#record.replace(before, { ...stays, rejected });
    } catch {
      return false;
    }
  }

  #isOwn(by: string): boolean {
    return by.split('/')[0] === String(this.#options.nodeId);
  }

  #refused(token: TokenFacts): StrongroomError {
    return new StrongroomError(
      'hsm.pin-rejected',
      `Token "${token.label}" of slot "${this.#options.slot}" has refused this PIN before, so no node presents it again: put the right one into the PIN source`,
      { details: { slot: this.#options.slot, token: token.label } },
    );
  }

  #brokeOff(token: TokenFacts): StrongroomError {
    return new StrongroomError(
      'hsm.pin-rejected',
      `The last login to token "${token.label}" of slot "${this.#options.slot}" broke off, and the token counts a wrong PIN: log in once by hand (pkcs11-tool --login), which resets its counter`,
      { details: { slot: this.#options.slot, token: token.label } },
    );
  }

  #closed(token: TokenFacts): StrongroomError {
    return new StrongroomError('hsm.closed', `Token "${token.label}" was closed`);
  }

  #lookAgain(token: TokenFacts, what: string): StrongroomError {
    return new StrongroomError(
      'hsm.unavailable',
      `Another node ${what} at token "${token.label}": the token's counter is looked at again before the next try`,
      { details: { slot: this.#options.slot, token: token.label } },
    );
  }
}

function pinTag(clusterId: string, serial: string, pin: SecretBytes): Promise<string> {
  const salt = createHash('sha256')
    .update(
      lengthPrefixed(utf8Bytes('strongroom/pin-tag/v1'), utf8Bytes(clusterId), utf8Bytes(serial)),
    )
    .digest();
  return new Promise((resolve, reject) => {
    // The byte is cut from a longer output, so that the rest of it exists nowhere.
    scrypt(pin.reveal(), salt, 32, { N: 2 ** 14, r: 8, p: 1 }, (error, out) => {
      if (error !== null) return reject(error);
      resolve(hex(out.subarray(0, 1)));
    });
  });
}
