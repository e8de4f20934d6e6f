import { createHash, scrypt } from 'node:crypto';
import type { PinGuard, TokenFacts } from '../hsm/index.ts';
import {
  type Clock,
  compareBytes,
  hasCode,
  hex,
  lengthPrefixed,
  type Random,
  type SecretBytes,
  StrongroomError,
  utf8Bytes,
  utf8Text,
} from '../lib/index.ts';
import { pinRecord, type SealRecords } from './records.ts';

/** How long another node's try may stay without an answer before its outcome counts as unknown. */
const CLAIM_MS = 60_000;
const REJECTED_KEPT = 16;
const WRITE_TRIES = 5;

interface PinState {
  /** Who is presenting a PIN just now. Not which: it may well be the right one. */
  readonly claim?: string;
  /** Tags of refused PINs. */
  readonly rejected: readonly string[];
}

export interface ClusterPinGuardOptions {
  readonly slot: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly records: SealRecords;
  readonly clock: Clock;
  readonly random: Random;
  /** This process's own memory, asked first. */
  readonly local: PinGuard;
  /** Ends the waiting for other nodes. */
  readonly signal: AbortSignal;
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
  readonly #record: string;
  /** Tells this process's claims from those of an earlier life of the same node. */
  readonly #self: string;

  constructor(options: ClusterPinGuardOptions) {
    this.#options = options;
    this.#record = pinRecord(options.slot);
    this.#self = `${options.nodeId}/${hex(options.random.bytes(8))}`;
  }

  async present(token: TokenFacts, pin: SecretBytes, login: () => Promise<void>): Promise<void> {
    const tag = await pinTag(this.#options.clusterId, token.serial, pin);
    await this.#claim(token, tag);
    try {
      await this.#options.local.present(token, pin, login);
    } catch (error) {
      // When the agent died, the claim stays: the token's own counter tells later how it ended.
      if (hasCode(error, 'hsm.timeout', 'hsm.module-crashed', 'hsm.closed')) throw error;
      await this.#settle(hasCode(error, 'hsm.pin-rejected') ? tag : undefined);
      throw error;
    }
    await this.#settle(undefined);
  }

  async #claim(token: TokenFacts, tag: string): Promise<void> {
    const refusedAtFirst = this.#read().state.rejected.length;
    for (;;) {
      const { bytes, state } = this.#read();
      if (state.rejected.includes(tag)) throw this.#refused(token);
      if (state.rejected.length > refusedAtFirst) throw this.#lookAgain(token);
      const { claim } = state;
      if (claim !== undefined && !this.#isOwn(claim)) {
        const stale = await this.#unchangedFor(bytes);
        if (this.#options.signal.aborted) throw this.#closed(token);
        if (!stale) continue;
      }
      // Whoever claimed before never told the outcome, and perhaps it was this very PIN. The token
      // knows: a counter that is low means that the last try was wrong.
      if (claim !== undefined && token.pinCountLow) throw this.#unanswered(token);
      if (await this.#replace(bytes, { rejected: state.rejected, claim: this.#self })) return;
    }
  }

  async #settle(refusedTag: string | undefined): Promise<void> {
    for (let tries = 0; tries < WRITE_TRIES; tries++) {
      const { bytes, state } = this.#read();
      const rejected =
        refusedTag === undefined || state.rejected.includes(refusedTag)
          ? state.rejected
          : [...state.rejected, refusedTag].slice(-REJECTED_KEPT);
      try {
        if (await this.#replace(bytes, { rejected })) return;
      } catch {
        // Without a quorum the claim stays, which is safe: others ask the token's counter.
        return;
      }
    }
  }

  /** Waits until the record changes; true when it did not for as long as a try may take. */
  #unchangedFor(bytes: Uint8Array | undefined): Promise<boolean> {
    const { clock, records, signal } = this.#options;
    return new Promise((resolve) => {
      const end = (stale: boolean): void => {
        timer.cancel();
        signal.removeEventListener('abort', aborted);
        stop();
        resolve(stale);
      };
      const aborted = (): void => end(false);
      signal.addEventListener('abort', aborted);
      const timer = clock.after(CLAIM_MS, () => end(true));
      const stop = records.onChange(() => {
        if (!same(records.read(this.#record), bytes)) end(false);
      });
      if (!same(records.read(this.#record), bytes)) end(false);
    });
  }

  #isOwn(by: string): boolean {
    return by.split('/')[0] === String(this.#options.nodeId);
  }

  #read(): { readonly bytes: Uint8Array | undefined; readonly state: PinState } {
    const bytes = this.#options.records.read(this.#record);
    return { bytes, state: bytes === undefined ? { rejected: [] } : decode(bytes) };
  }

  /** Whether nobody else changed the record meanwhile. */
  async #replace(before: Uint8Array | undefined, after: PinState): Promise<boolean> {
    const empty = after.claim === undefined && after.rejected.length === 0;
    const bytes = empty ? undefined : utf8Bytes(JSON.stringify(after));
    if (same(before, bytes)) return true;
    try {
      await this.#options.records.write(
        new Map([[this.#record, bytes]]),
        new Map([[this.#record, before]]),
      );
      return true;
    } catch (error) {
      if (hasCode(error, 'store.conflict')) return false;
      throw error;
    }
  }

  #refused(token: TokenFacts): StrongroomError {
    return new StrongroomError(
      'hsm.pin-rejected',
      `Token "${token.label}" of slot "${this.#options.slot}" has refused this PIN before, so no node presents it again: put the right one into the PIN source`,
      { details: { slot: this.#options.slot, token: token.label } },
    );
  }

  #unanswered(token: TokenFacts): StrongroomError {
    return new StrongroomError(
      'hsm.pin-rejected',
      `The last login to token "${token.label}" of slot "${this.#options.slot}" broke off, and the token counts a wrong PIN: log in once by hand (pkcs11-tool --login), which resets its counter`,
      { details: { slot: this.#options.slot, token: token.label } },
    );
  }

  #closed(token: TokenFacts): StrongroomError {
    return new StrongroomError('hsm.closed', `Token "${token.label}" was closed`);
  }

  #lookAgain(token: TokenFacts): StrongroomError {
    return new StrongroomError(
      'hsm.unavailable',
      `Another node has just had a PIN refused by token "${token.label}": its counter is looked at again before the next try`,
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

function decode(bytes: Uint8Array): PinState {
  try {
    const value = JSON.parse(utf8Text(bytes)) as Partial<PinState>;
    const rejected = Array.isArray(value.rejected) ? value.rejected.map(String) : [];
    const { claim } = value;
    return typeof claim === 'string' ? { rejected, claim } : { rejected };
  } catch {
    // A damaged record protects nothing any more; the token's own counter still does.
    return { rejected: [] };
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return compareBytes(a, b) === 0;
}
