import { hex, latin1Text, lengthPrefixed, StrongroomError, utf8Bytes } from '../lib/index.ts';
import { keyedHash } from './draft.ts';
import { Keyring } from './keyring.ts';
import { isSameUuid, type Uuid } from './place.ts';
import { NameKeys } from './sealed-segment.ts';
import { KEY_BYTES } from './sodium.ts';

/** Derived keys kept; more are derived again when asked for. */
const DERIVED_KEYS_MAX = 8192;

const LABELS = {
  value: utf8Bytes('strongroom/barrier/value-key/v1'),
  secret: utf8Bytes('strongroom/barrier/secret/v1'),
};

/** What is derived for one namespace. */
interface NamespaceKeys {
  readonly namespace: Uuid;
  readonly names: NameKeys;
  /** By epoch. */
  readonly values: Map<number, Uint8Array>;
}

/** A keyring in use, with the keys that were derived from it. All are overwritten on disposal. */
export class KeyCache implements Disposable {
  readonly #keyring: Keyring;
  /** By the namespace's uuid, one character a byte. */
  readonly #derived = new Map<string, NamespaceKeys>();
  #derivedCount = 0;
  /** Requests come in runs for one namespace. */
  #latest: NamespaceKeys | undefined;

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

  hasNamespace(namespace: Uuid): boolean {
    return this.#keyring.hasNamespace(namespace);
  }

  nameKeys(namespace: Uuid): NameKeys {
    return this.#derivedOf(namespace).names;
  }

  /**
   * The key of one namespace's values in one epoch: BLAKE2b(epoch key, namespace key, uuid), so that
   * it is gone when either is. `undefined` when the keyring has no such epoch.
   */
  valueKey(namespace: Uuid, epoch: number): Uint8Array | undefined {
    const known = this.#derivedOf(namespace).values.get(epoch);
    if (known !== undefined) return known;
    const epochKey = this.#keyring.reveal().epochKeys.get(epoch);
    if (epochKey === undefined) return undefined;
    const input = lengthPrefixed(LABELS.value, this.#namespaceKey(namespace), namespace);
    const key = keyedHash(KEY_BYTES, epochKey, input);
    input.fill(0);
    this.#makeRoom();
    this.#derivedOf(namespace).values.set(epoch, key);
    this.#derivedCount++;
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

  #derivedOf(namespace: Uuid): NamespaceKeys {
    if (this.#latest !== undefined && isSameUuid(this.#latest.namespace, namespace)) {
      return this.#latest;
    }
    const name = latin1Text(namespace);
    this.#latest = this.#derived.get(name) ?? this.#derive(namespace, name);
    return this.#latest;
  }

  #derive(namespace: Uuid, name: string): NamespaceKeys {
    const made = {
      namespace: Uint8Array.from(namespace),
      names: new NameKeys(this.#namespaceKey(namespace), namespace),
      values: new Map<number, Uint8Array>(),
    };
    this.#makeRoom();
    this.#derived.set(name, made);
    this.#derivedCount++;
    return made;
  }

  #namespaceKey(namespace: Uuid): Uint8Array {
    const name = hex(namespace);
    const key = this.#keyring.reveal().namespaceKeys.get(name);
    if (key === undefined) {
      throw new StrongroomError(
        'barrier.no-namespace-key',
        'Cannot open or seal: the keyring has no key for this namespace, it was destroyed',
        { details: { namespace: name } },
      );
    }
    return key;
  }

  #makeRoom(): void {
    if (this.#derivedCount >= DERIVED_KEYS_MAX) this.#forgetDerived();
  }

  #forgetDerived(): void {
    for (const { names, values } of this.#derived.values()) {
      names[Symbol.dispose]();
      for (const key of values.values()) key.fill(0);
    }
    this.#derived.clear();
    this.#latest = undefined;
    this.#derivedCount = 0;
  }
}
