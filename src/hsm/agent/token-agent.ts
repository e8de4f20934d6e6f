import { randomBytes } from 'node:crypto';
import pkcs11 from 'pkcs11js';
import { concatBytes, equalBytes, hex, StrongroomError } from '../../lib/index.ts';
import type { KekInfo, ProbeFinding, TokenAddress, WrapMechanism } from '../token.ts';
import { Cryptoki, CryptokiError, type Handle } from './cryptoki.ts';
import { named } from './failure.ts';
import { initializeToken } from './initialize-token.ts';
import {
  decryptingKeys,
  describeKey,
  GCM_IV_BYTES,
  gcm,
  generateKey,
  oaep,
  openCanary,
  sha256,
} from './kek.ts';
import { probeKey } from './probe.ts';
import type { AgentCalls, TokenFacts } from './protocol.ts';
import { CKR, returnValue } from './return-values.ts';
import { wrapWithPublicKey } from './wrap-public.ts';

// Not in the binding (PKCS#11 v2.40, `pkcs11t.h`).
const CKS_RO_USER_FUNCTIONS = 1;
const CKS_RW_USER_FUNCTIONS = 3;

const SECRET_BYTES_MAX = 64;
const RANDOM_CHUNK_BYTES = 4096;
const RANDOM_BYTES_MAX = 65_536;

interface OpenToken {
  readonly cryptoki: Cryptoki;
  readonly slot: Handle;
  readonly label: string;
  /** Holds the login: it ends with the last session of this process. */
  keeper?: Handle;
}

/** One token in this process's one module. Synchronous: only agents may block. */
export class TokenAgent implements AgentCalls {
  #open: OpenToken | undefined;
  #label = '';

  open(address: TokenAddress): TokenFacts {
    this.#label = address.label;
    return this.#named('open the token', () => {
      const cryptoki = Cryptoki.load(address.module, address.libraryParameters);
      const { slot, facts } = findToken(cryptoki, address);
      this.#open = { cryptoki, slot, label: address.label };
      return facts;
    });
  }

  login(pin: string): void {
    this.#named('log in', () => {
      const open = this.#opened();
      const { cryptoki, slot } = open;
      const flags = pkcs11.CKF_SERIAL_SESSION;
      const keeper = cryptoki.call('C_OpenSession', (m) => m.C_OpenSession(slot, flags));
      cryptoki.call('C_Login', (m) => m.C_Login(keeper, pkcs11.CKU_USER, pin));
      open.keeper = keeper;
    });
  }

  initialize(module: string, label: string, soPin: string, pin: string): void {
    this.#label = label;
    this.#named('initialise a token', () => initializeToken(module, label, soPin, pin));
  }

  generateKek(label: string, mechanism: WrapMechanism): KekInfo {
    return this.#named(`generate key "${label}"`, () => {
      const { cryptoki } = this.#opened();
      return this.#session(true, (session) => {
        if (decryptingKeys(cryptoki, session, label, mechanism).length > 0) {
          throw new StrongroomError(
            'hsm.key-exists',
            `Token "${this.#label}" has a key "${label}" already: keys are never overwritten, choose another label`,
          );
        }
        this.#generate(session, label, mechanism);
        const [key] = decryptingKeys(cryptoki, session, label, mechanism);
        if (key === undefined) throw this.#keyMissing(label);
        return describeKey(cryptoki, session, key, label, mechanism);
      });
    });
  }

  findKek(label: string, mechanism: WrapMechanism, fingerprint?: Uint8Array): KekInfo | undefined {
    return this.#named(`find key "${label}"`, () => {
      const { cryptoki } = this.#opened();
      return this.#session(false, (session) => {
        const found = decryptingKeys(cryptoki, session, label, mechanism).map((key) =>
          describeKey(cryptoki, session, key, label, mechanism),
        );
        if (fingerprint === undefined) return this.#only(label, found);
        const match = found.find((kek) => equalBytes(kek.fingerprint, fingerprint));
        if (match === undefined && found.length > 0) throw this.#keyMismatch(label, fingerprint);
        return match;
      });
    });
  }

  destroyKek(label: string): void {
    this.#named(`destroy key "${label}"`, () => {
      const { cryptoki } = this.#opened();
      this.#session(true, (session) => {
        const objects = cryptoki.find(session, [{ type: pkcs11.CKA_LABEL, value: label }]);
        if (objects.length === 0) throw this.#keyMissing(label);
        for (const object of objects) {
          cryptoki.call('C_DestroyObject', (m) => m.C_DestroyObject(session, object));
        }
      });
    });
  }

  wrap(kek: KekInfo, secret: Uint8Array, context: Uint8Array): Uint8Array {
    return this.#named(`wrap under key "${kek.label}"`, () => {
      if (secret.length > SECRET_BYTES_MAX) {
        throw new StrongroomError('hsm.misuse', `Cannot wrap over ${SECRET_BYTES_MAX} bytes`);
      }
      if (kek.mechanism !== 'aes-gcm') return wrapWithPublicKey(kek, secret);
      return this.#withKey(kek, (session, key) => {
        const iv = freshIv();
        const { cryptoki } = this.#opened();
        return concatBytes(iv, cryptoki.encrypt(session, gcm(iv, sha256(context)), key, secret));
      });
    });
  }

  unwrap(kek: KekInfo, wrapped: Uint8Array, context: Uint8Array): Uint8Array {
    return this.#named(`unwrap under key "${kek.label}"`, () =>
      this.#withKey(kek, (session, key) => {
        try {
          return this.#unwrapOnce(session, key, kek, wrapped, context);
        } catch (error) {
          if (!mayBeTheData(error)) throw error;
          // Bad data and a dead token look alike: only the canary tells which of them it was.
          this.#opened().cryptoki.withSession(this.#opened().slot, false, (fresh) =>
            openCanary(this.#opened().cryptoki, fresh, key, kek),
          );
          throw new StrongroomError(
            'hsm.data-refused',
            `Cannot unwrap under key "${kek.label}" on token "${this.#label}": the token refused the data (${(error as Error).message}) and the key itself works, so the wrapped bytes are damaged or not made by it`,
            { details: { token: this.#label, key: kek.label } },
          );
        }
      }),
    );
  }

  proveKek(kek: KekInfo): void {
    this.#named(`prove key "${kek.label}"`, () =>
      this.#withKey(kek, (session, key) => openCanary(this.#opened().cryptoki, session, key, kek)),
    );
  }

  probeKek(kek: KekInfo): readonly ProbeFinding[] {
    return this.#named(`probe key "${kek.label}"`, () =>
      this.#withKey(kek, (_session, key) =>
        probeKey(this.#opened().cryptoki, this.#opened().slot, key, kek.mechanism),
      ),
    );
  }

  randomBytes(count: number): Uint8Array {
    return this.#named('draw random bytes', () => {
      if (!Number.isSafeInteger(count) || count < 1 || count > RANDOM_BYTES_MAX) {
        throw new StrongroomError('hsm.misuse', `Cannot draw ${count} random bytes`);
      }
      const { cryptoki, slot } = this.#opened();
      const out = new Uint8Array(count);
      cryptoki.withSession(slot, false, (session) => {
        // In chunks: NSS refuses long draws.
        for (let at = 0; at < count; at += RANDOM_CHUNK_BYTES) {
          const chunk = Buffer.alloc(Math.min(RANDOM_CHUNK_BYTES, count - at));
          cryptoki.call('C_GenerateRandom', (m) => m.C_GenerateRandom(session, chunk));
          out.set(chunk, at);
        }
      });
      return out;
    });
  }

  #generate(session: Handle, label: string, mechanism: WrapMechanism): void {
    const { cryptoki, slot } = this.#opened();
    try {
      generateKey(cryptoki, session, label, mechanism);
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
      if (error.code !== CKR.GENERAL_ERROR && error.code !== CKR.FUNCTION_FAILED) throw error;
      // The token answers, only not to this: it cannot store.
      cryptoki.call('C_GetTokenInfo', (m) => m.C_GetTokenInfo(slot));
      throw new StrongroomError(
        'hsm.token-read-only',
        `Cannot generate key "${label}" on token "${this.#label}": ${error.message}, though it answers otherwise; it is read-only or its storage is full`,
        { details: { method: error.method, ckrNumber: error.code, token: this.#label } },
      );
    }
  }

  #unwrapOnce(
    session: Handle,
    key: Handle,
    kek: KekInfo,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Uint8Array {
    const { cryptoki } = this.#opened();
    if (kek.mechanism !== 'aes-gcm') {
      return cryptoki.decrypt(session, oaep(kek.mechanism), key, wrapped);
    }
    const iv = wrapped.subarray(0, GCM_IV_BYTES);
    // The zero vector is the fingerprint's alone.
    if (iv.length < GCM_IV_BYTES || iv.every((byte) => byte === 0)) {
      throw new StrongroomError(
        'hsm.data-refused',
        `Cannot unwrap under key "${kek.label}": the wrapped bytes are malformed`,
      );
    }
    const ciphertext = wrapped.subarray(GCM_IV_BYTES);
    return cryptoki.decrypt(session, gcm(iv, sha256(context)), key, ciphertext);
  }

  /** Finds the very key by fingerprint and runs `task` once more on a fresh session if it was stale. */
  #withKey<T>(kek: KekInfo, task: (session: Handle, key: Handle) => T): T {
    const attempt = (): T =>
      this.#session(false, (session) => task(session, this.#key(session, kek)));
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof CryptokiError) || returnValue(error.code).class !== 'session') {
        throw error;
      }
      return attempt();
    }
  }

  /**
   * A session of a process that is still logged in. Without the login private keys merely do not
   * show, which would look as if somebody had destroyed them.
   */
  #session<T>(writable: boolean, task: (session: Handle) => T): T {
    const { cryptoki, slot } = this.#opened();
    return cryptoki.withSession(slot, writable, (session) => {
      const { state } = cryptoki.call('C_GetSessionInfo', (m) => m.C_GetSessionInfo(session));
      if (state !== CKS_RO_USER_FUNCTIONS && state !== CKS_RW_USER_FUNCTIONS) {
        throw new StrongroomError(
          'hsm.unavailable',
          `The login to token "${this.#label}" was lost: a new agent logs in again`,
          { details: { token: this.#label } },
        );
      }
      return task(session);
    });
  }

  #key(session: Handle, kek: KekInfo): Handle {
    const { cryptoki, slot } = this.#opened();
    const keys = decryptingKeys(cryptoki, session, kek.label, kek.mechanism);
    for (const key of keys) {
      const found = describeKey(cryptoki, session, key, kek.label, kek.mechanism);
      if (equalBytes(found.fingerprint, kek.fingerprint)) return key;
    }
    if (keys.length > 0) throw this.#keyMismatch(kek.label, kek.fingerprint);
    // A token that was removed also shows no keys: ask for the token before accusing anybody.
    try {
      cryptoki.call('C_GetTokenInfo', (m) => m.C_GetTokenInfo(slot));
    } catch (cause) {
      throw new StrongroomError(
        'hsm.token-missing',
        `Token "${this.#label}" has gone: ${(cause as Error).message}; insert it again`,
        { details: { token: this.#label } },
      );
    }
    throw this.#keyMissing(kek.label);
  }

  #only(label: string, found: readonly KekInfo[]): KekInfo | undefined {
    if (found.length <= 1) return found[0];
    throw new StrongroomError(
      'hsm.key-ambiguous',
      `Token "${this.#label}" has ${found.length} keys labelled "${label}": remove all but one, or name the fingerprint`,
    );
  }

  #keyMissing(label: string): StrongroomError {
    return new StrongroomError(
      'hsm.key-missing',
      `Token "${this.#label}" has no key "${label}": it was destroyed, or this is another token`,
      { details: { token: this.#label, key: label } },
    );
  }

  #keyMismatch(label: string, fingerprint: Uint8Array): StrongroomError {
    return new StrongroomError(
      'hsm.key-mismatch',
      `Token "${this.#label}" has a key "${label}", but not the one with fingerprint ${hex(fingerprint)}: somebody replaced it`,
      { details: { token: this.#label, key: label } },
    );
  }

  #opened(): OpenToken {
    if (this.#open === undefined) throw new StrongroomError('hsm.misuse', 'No token is open');
    return this.#open;
  }

  #named<T>(attempt: string, task: () => T): T {
    try {
      return task();
    } catch (error) {
      throw named(error, attempt, this.#label);
    }
  }
}

function mayBeTheData(error: unknown): boolean {
  if (!(error instanceof CryptokiError)) return false;
  return (
    returnValue(error.code).class === 'data' ||
    error.code === CKR.GENERAL_ERROR ||
    error.code === CKR.FUNCTION_FAILED
  );
}

function freshIv(): Uint8Array {
  for (;;) {
    const iv = Uint8Array.from(randomBytes(GCM_IV_BYTES));
    if (iv.some((byte) => byte !== 0)) return iv;
  }
}

const trimmed = (text: string): string => text.replaceAll('\0', ' ').trimEnd();

function findToken(
  cryptoki: Cryptoki,
  address: TokenAddress,
): { readonly slot: Handle; readonly facts: TokenFacts } {
  const slots = cryptoki.call('C_GetSlotList', (m) => m.C_GetSlotList(true));
  if (slots.length === 0) {
    throw new StrongroomError(
      'hsm.unavailable',
      `Module ${address.module} shows no slot at all: the device behind it is out of reach`,
    );
  }
  const tokens = slots.flatMap((slot) => {
    try {
      const info = cryptoki.call('C_GetTokenInfo', (m) => m.C_GetTokenInfo(slot));
      return [{ slot, facts: factsOf(info) }];
    } catch {
      // Another token's trouble is not ours; ours is then missing, and said to be.
      return [];
    }
  });
  const matching = tokens.filter(
    ({ facts }) =>
      facts.label === address.label &&
      (address.serial === undefined || facts.serial === address.serial),
  );
  const [match] = matching;
  if (match === undefined) {
    throw new StrongroomError(
      'hsm.token-missing',
      `Token "${address.label}"${address.serial === undefined ? '' : ` with serial ${address.serial}`} is not present in module ${address.module}: it shows ${tokens.length} other tokens; insert it, or mend the label or the module's own configuration`,
    );
  }
  if (matching.length > 1) {
    const serials = matching.map(({ facts }) => facts.serial).join(', ');
    throw new StrongroomError(
      'hsm.token-ambiguous',
      `${matching.length} tokens are labelled "${address.label}": set the serial in the slot's configuration to one of ${serials}`,
    );
  }
  return match;
}

function factsOf(info: pkcs11.TokenInfo): TokenFacts {
  return {
    label: trimmed(info.label),
    serial: trimmed(info.serialNumber),
    manufacturer: trimmed(info.manufacturerID),
    model: trimmed(info.model),
    pinCountLow: (info.flags & pkcs11.CKF_USER_PIN_COUNT_LOW) !== 0,
    pinFinalTry: (info.flags & pkcs11.CKF_USER_PIN_FINAL_TRY) !== 0,
    pinLocked: (info.flags & pkcs11.CKF_USER_PIN_LOCKED) !== 0,
  };
}
