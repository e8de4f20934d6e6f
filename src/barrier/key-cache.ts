import { lengthPrefixed, StrongroomError, utf8Bytes } from '../lib/index.ts';
import { Keyring } from './keyring.ts';
import type { Uuid } from './place.ts';
import { NameKeys } from './sealed-segment.ts';
import { KEY_BYTES, keyedHash } from './sodium.ts';

/** Derived keys kept; more are derived again when asked for. */
const DERIVED_KEYS_MAX = 8192;

const LABELS = {
  value: utf8Bytes('strongroom/barrier/value-key/v1'),
  secret: utf8Bytes('strongroom/barrier/secret/v1'),
};

/** A keyring in use, with the keys that were derived from it. All are overwritten on disposal. */
export class KeyCache implements Disposable {
  readonly #keyring: Keyring;
  readonly #valueKeys = new Map<string, Uint8Array>();
  readonly #nameKeys = new Map<string, NameKeys>();

  /** Copies the keys of `keyring`. */
  constructor(keyring: Keyring) {
    const content = keyring.reveal();
    const copy = <K>(map: ReadonlyMap<K, Uint8Array>) =>
      new Map([...map].map(([name, key]) => [name, Uint8Array.from(key)] as const));
    this.#keyring = new Keyring({
      ...content,
      secretsKey: Uint8Array.from(content.secretsKey),
      epochKeys: copy(content.epochKeys),
      namespaceKeys: copy(content.namespaceKeys),
    });
  }

  get generation(): number {
    return this.#keyring.generation;
  }

  get epoch(): number {
    return this.#keyring.epoch;
  }

  hasNamespace(namespaceHex: string): boolean {
    return this.#keyring.reveal().namespaceKeys.has(namespaceHex);
  }

  nameKeys(namespace: Uuid, namespaceHex: string): NameKeys {
    const known = this.#nameKeys.get(namespaceHex);
    if (known !== undefined) return known;
    const keys = new NameKeys(this.#namespaceKey(namespaceHex), namespace);
    if (this.#nameKeys.size >= DERIVED_KEYS_MAX) this.#forgetDerived();
    this.#nameKeys.set(namespaceHex, keys);
    return keys;
  }

  /**
   * The key of one namespace's values in one epoch: BLAKE2b(epoch key, namespace key, uuid), so that
   * it is gone when either is. `undefined` when the keyring has no such epoch.
   */
  valueKey(namespace: Uuid, namespaceHex: string, epoch: number): Uint8Array | undefined {
    const name = `${epoch}/${namespaceHex}`;
    const known = this.#valueKeys.get(name);
    if (known !== undefined) return known;
    const namespaceKey = this.#namespaceKey(namespaceHex);
    const epochKey = this.#keyring.reveal().epochKeys.get(epoch);
    if (epochKey === undefined) return undefined;
    const input = lengthPrefixed(LABELS.value, namespaceKey, namespace);
    const key = keyedHash(KEY_BYTES, epochKey, input);
    input.fill(0);
    if (this.#valueKeys.size >= DERIVED_KEYS_MAX) this.#forgetDerived();
    this.#valueKeys.set(name, key);
    return key;
  }

  secret(label: string): Uint8Array {
    const { secretsKey } = this.#keyring.reveal();
    return keyedHash(KEY_BYTES, secretsKey, lengthPrefixed(LABELS.secret, utf8Bytes(label)));
  }

  [Symbol.dispose](): void {
    this.#forgetDerived();
    this.#keyring[Symbol.dispose]();
  }

  #namespaceKey(namespaceHex: string): Uint8Array {
    const key = this.#keyring.reveal().namespaceKeys.get(namespaceHex);
    if (key === undefined) {
      throw new StrongroomError(
        'barrier.no-namespace-key',
        'Cannot open or seal: the keyring has no key for this namespace, it was destroyed',
        { details: { namespace: namespaceHex } },
      );
    }
    return key;
  }

  #forgetDerived(): void {
    for (const key of this.#valueKeys.values()) key.fill(0);
    for (const keys of this.#nameKeys.values()) keys[Symbol.dispose]();
    this.#valueKeys.clear();
    this.#nameKeys.clear();
  }
}
