import { hex, type Random, StrongroomError } from '../lib/index.ts';
import type { Uuid } from './place.ts';
import { KEY_BYTES } from './sodium.ts';

/** Older epochs that are not yet swept. Drop some before adding more. */
export const EPOCHS_MAX = 64;
/** Keeps the sealed keyring, which is one record and one Raft entry, below 300 KiB. */
export const NAMESPACES_MAX = 4096;
export const UUID_BYTES = 16;

export interface KeyringContent {
  /** Counts every change, so that an older keyring is told from a newer one. */
  readonly generation: number;
  /** The epoch that new values are sealed under: always the highest. */
  readonly epoch: number;
  /** From it come secrets that must outlive epochs, such as the audit log's hash key. */
  readonly secretsKey: Uint8Array;
  /** 32 bytes each, by epoch number, ascending. */
  readonly epochKeys: ReadonlyMap<number, Uint8Array>;
  /** 32 bytes each, by the namespace's uuid in hex. */
  readonly namespaceKeys: ReadonlyMap<string, Uint8Array>;
}

/**
 * The keys between root and values. A value's key comes from two of them: the epoch's and the
 * namespace's. So a new epoch changes every key at once, and forgetting one namespace key makes one
 * tenant's data unreadable for good. Names are sealed under the namespace's key alone, because a
 * place must be found again in a later epoch.
 *
 * Never changed in place: `addEpoch` and its sisters make a new keyring with copies of the keys, so
 * that a change can be sealed and committed before it is used. Dispose each one.
 */
export class Keyring implements Disposable {
  readonly #content: KeyringContent;

  /** Takes ownership of the key bytes. */
  constructor(content: KeyringContent) {
    this.#content = content;
  }

  get generation(): number {
    return this.#content.generation;
  }

  get epoch(): number {
    return this.#content.epoch;
  }

  get epochs(): readonly number[] {
    return [...this.#content.epochKeys.keys()];
  }

  /** Uuids in hex. */
  get namespaces(): readonly string[] {
    return [...this.#content.namespaceKeys.keys()];
  }

  hasNamespace(namespace: Uuid): boolean {
    return this.#content.namespaceKeys.has(hex(namespace));
  }

  /** The keys themselves, for this folder: valid until disposal. */
  reveal(): KeyringContent {
    return this.#content;
  }

  [Symbol.dispose](): void {
    this.#content.secretsKey.fill(0);
    for (const key of this.#content.epochKeys.values()) key.fill(0);
    for (const key of this.#content.namespaceKeys.values()) key.fill(0);
  }

  toJSON(): string {
    return '[keyring]';
  }
}

/** A keyring with epoch 1 and no namespace. */
export function newKeyring(random: Random): Keyring {
  return new Keyring({
    generation: 1,
    epoch: 1,
    secretsKey: random.bytes(KEY_BYTES),
    epochKeys: new Map([[1, random.bytes(KEY_BYTES)]]),
    namespaceKeys: new Map(),
  });
}

/** A copy whose new values go under a fresh epoch; older epochs still open. */
export function addEpoch(keyring: Keyring, random: Random): Keyring {
  const content = copyOf(keyring);
  if (content.epochKeys.size >= EPOCHS_MAX) {
    throw new StrongroomError(
      'barrier.keyring-full',
      `Cannot add an epoch: the keyring holds ${EPOCHS_MAX}, wait until the sweeper dropped old ones`,
    );
  }
  const epoch = content.epoch + 1;
  content.epochKeys.set(epoch, random.bytes(KEY_BYTES));
  return new Keyring({ ...content, epoch });
}

/**
 * A copy without an old epoch. What is still sealed under it is lost: call it only when the sweeper
 * found nothing.
 * @throws StrongroomError `request.invalid` for the active epoch.
 */
export function dropEpoch(keyring: Keyring, epoch: number): Keyring {
  if (epoch === keyring.epoch) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot drop epoch ${epoch}: it is the active one`,
    );
  }
  const content = copyOf(keyring);
  content.epochKeys.get(epoch)?.fill(0);
  content.epochKeys.delete(epoch);
  return new Keyring(content);
}

/** A copy with a fresh random key for `namespace`. Adding one that is there keeps its key. */
export function addNamespaceKey(keyring: Keyring, namespace: Uuid, random: Random): Keyring {
  if (namespace.length !== UUID_BYTES) {
    throw new StrongroomError('request.invalid', `A namespace uuid has ${UUID_BYTES} bytes`);
  }
  const content = copyOf(keyring);
  if (content.namespaceKeys.has(hex(namespace))) return new Keyring(content);
  if (content.namespaceKeys.size >= NAMESPACES_MAX) {
    throw new StrongroomError(
      'barrier.keyring-full',
      `Cannot add a namespace: the keyring holds ${NAMESPACES_MAX}, remove one first`,
    );
  }
  content.namespaceKeys.set(hex(namespace), random.bytes(KEY_BYTES));
  return new Keyring(content);
}

/** A copy that cannot open anything of `namespace`, ever again. */
export function removeNamespaceKey(keyring: Keyring, namespace: Uuid): Keyring {
  const content = copyOf(keyring);
  content.namespaceKeys.get(hex(namespace))?.fill(0);
  content.namespaceKeys.delete(hex(namespace));
  return new Keyring(content);
}

function copyOf(keyring: Keyring): KeyringContent & {
  readonly epochKeys: Map<number, Uint8Array>;
  readonly namespaceKeys: Map<string, Uint8Array>;
} {
  const content = keyring.reveal();
  return {
    generation: content.generation + 1,
    epoch: content.epoch,
    secretsKey: Uint8Array.from(content.secretsKey),
    epochKeys: copyOfMap(content.epochKeys),
    namespaceKeys: copyOfMap(content.namespaceKeys),
  };
}

function copyOfMap<K>(map: ReadonlyMap<K, Uint8Array>): Map<K, Uint8Array> {
  return new Map([...map].map(([name, key]) => [name, Uint8Array.from(key)]));
}
