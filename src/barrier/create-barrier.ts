import {
  concatBytes,
  latin1Text,
  type Random,
  RecentCache,
  SecretBytes,
  StrongroomError,
  utf8Bytes,
  utf8Text,
} from '../lib/index.ts';
import type { Barrier, Child } from './barrier.ts';
import { ByteSlab } from './byte-slab.ts';
import {
  openCommitted,
  SEALED_OVERHEAD_BYTES,
  sealCommitted,
  type WriteAad,
} from './committing-aead.ts';
import { HedgedNonces } from './hedged-nonce.ts';
import { KeyCache } from './key-cache.ts';
import { type Keyring, UUID_BYTES } from './keyring.ts';
import type { Place } from './place.ts';
import { PlaceCache, type PlaceSealer } from './place-cache.ts';
import {
  checkPlace,
  checkPlaceKey,
  PLACE_HEAD_BYTES,
  placeHead,
  SEALED_SPACE,
  SEGMENTS_MAX,
} from './place-key.ts';
import { openSegment, sealSegment, segmentLengthAt } from './sealed-segment.ts';

const VALUE_FORMAT = 1;
/** format (1) | epoch (4), before the sealed message. */
const VALUE_HEAD_BYTES = 5;
const VALUE_LABEL = utf8Bytes('strongroom/barrier/value/v1');
/**
 * Names kept, each a few hundred bytes. A secret has two or three sealed ones: of its history, and of
 * the versions in use. Opened ones are for lists.
 */
const NAMES_CACHED_MAX = { sealed: 65_536, opened: 16_384 } as const;

/** What a sealed value is longer than its plaintext. */
export const VALUE_OVERHEAD_BYTES = VALUE_HEAD_BYTES + SEALED_OVERHEAD_BYTES;

export interface BarrierOptions {
  /** Copied: the caller disposes its own. */
  readonly keyring: Keyring;
  readonly random: Random;
  /** Bound of each cache of names, instead of the usual ones. */
  readonly namesCachedMax?: number;
}

/** Needs `loadSodium()` to have resolved. */
export function createBarrier(options: BarrierOptions): Barrier {
  return new KeyringBarrier(options);
}

class KeyringBarrier implements Barrier {
  #keys: KeyCache | undefined;
  readonly #nonces: HedgedNonces;
  /** Apart, because store keys stay in the cache and ciphertext goes. */
  readonly #slabs = { places: new ByteSlab(), values: new ByteSlab() };
  readonly #sealedPlaces: PlaceCache;
  /** Store key of a name, as one string, to the name. */
  readonly #openedNames: RecentCache<string, string>;

  constructor({ keyring, random, namesCachedMax }: BarrierOptions) {
    this.#keys = new KeyCache(keyring);
    this.#nonces = new HedgedNonces(random);
    this.#sealedPlaces = new PlaceCache(
      this.#placeSealer(),
      namesCachedMax ?? NAMES_CACHED_MAX.sealed,
    );
    this.#openedNames = new RecentCache({ sizeMax: namesCachedMax ?? NAMES_CACHED_MAX.opened });
  }

  get epoch(): number {
    return this.#unsealed().epoch;
  }

  useKeyring(keyring: Keyring): void {
    const present = this.#unsealed();
    if (keyring.generation < present.generation) {
      throw new StrongroomError(
        'barrier.keyring-stale',
        `Cannot go back from keyring generation ${present.generation} to ${keyring.generation}`,
      );
    }
    this.#keys = new KeyCache(keyring);
    // Names of a namespace whose key is gone must not be answered from here.
    this.#sealedPlaces.clear();
    this.#openedNames.clear();
    present[Symbol.dispose]();
  }

  sealPlace(place: Place): Uint8Array {
    return this.#placeKey(place);
  }

  rangeBelow(folder: Place): { readonly start: Uint8Array; readonly end: Uint8Array } {
    const key = this.#placeKey(folder);
    return {
      start: concatBytes(key, Uint8Array.of(0)),
      end: concatBytes(key, Uint8Array.of(0xff)),
    };
  }

  openPlace(key: Uint8Array): Place {
    if (key.length < PLACE_HEAD_BYTES || key[0] !== SEALED_SPACE) throw tamperedName();
    const namespace = key.slice(1, 1 + UUID_BYTES);
    const mount = key.slice(1 + UUID_BYTES, 1 + 2 * UUID_BYTES);
    const path: string[] = [];
    let at = PLACE_HEAD_BYTES;
    while (at < key.length) {
      const length = segmentLengthAt(key, at);
      if (length === undefined || path.length >= SEGMENTS_MAX) throw tamperedName();
      path.push(this.#openName(namespace, key, at, length));
      at += length;
    }
    // A changed uuid in a key without names has nothing else that could tell.
    if (!this.#unsealed().hasNamespace(namespace)) throw tamperedName();
    return { namespace, mount, kind: key[PLACE_HEAD_BYTES - 1] ?? 0, path };
  }

  childOf(folder: Place, key: Uint8Array): Child {
    const parent = this.#placeKey(folder);
    const length = segmentLengthAt(key, parent.length);
    if (length === undefined || Buffer.compare(parent, key.subarray(0, parent.length)) !== 0) {
      throw tamperedName();
    }
    const end = parent.length + length;
    return {
      name: this.#openName(folder.namespace, key, parent.length, length),
      key: key.slice(0, end),
      isDeeper: key.length > end,
    };
  }

  sealValue(place: Place, plaintext: Uint8Array): Uint8Array {
    checkPlace(place);
    const keys = this.#unsealed();
    const head = new Uint8Array(VALUE_HEAD_BYTES);
    head[0] = VALUE_FORMAT;
    new DataView(head.buffer).setUint32(1, keys.epoch);
    const key = keys.valueKey(place.namespace, keys.epoch);
    if (key === undefined) throw unknownEpoch(keys.epoch);
    return sealCommitted({
      head,
      key,
      nonce: this.#nonces.next(plaintext),
      aad: valueAad(place, head),
      plaintext,
      slab: this.#slabs.values,
    });
  }

  openValue(place: Place, ciphertext: Uint8Array): Uint8Array {
    checkPlace(place);
    const epoch = this.epochOf(ciphertext);
    const key = this.#unsealed().valueKey(place.namespace, epoch);
    if (key === undefined) throw unknownEpoch(epoch);
    const aad = valueAad(place, ciphertext.subarray(0, VALUE_HEAD_BYTES));
    const opened = openCommitted(key, aad, ciphertext.subarray(VALUE_HEAD_BYTES));
    if (opened.kind === 'opened') return opened.plaintext;
    throw new StrongroomError(
      'barrier.tampered',
      opened.kind === 'changed'
        ? 'Cannot open a stored value: its bytes were changed'
        : 'Cannot open a stored value: it was sealed for another place or under another key',
      { details: { epoch } },
    );
  }

  epochOf(ciphertext: Uint8Array): number {
    if (ciphertext[0] !== VALUE_FORMAT || ciphertext.length < VALUE_OVERHEAD_BYTES) {
      throw new StrongroomError(
        'barrier.tampered',
        'Cannot open a stored value: it has not the header of this format',
      );
    }
    return new DataView(ciphertext.buffer, ciphertext.byteOffset).getUint32(1);
  }

  deriveSecret(label: string): SecretBytes {
    return SecretBytes.take(this.#unsealed().secret(label));
  }

  [Symbol.dispose](): void {
    this.#keys?.[Symbol.dispose]();
    this.#keys = undefined;
    this.#nonces[Symbol.dispose]();
    this.#sealedPlaces.clear();
    this.#openedNames.clear();
  }

  #unsealed(): KeyCache {
    if (this.#keys === undefined) {
      throw new StrongroomError('barrier.sealed', 'Cannot read or write: this node is sealed');
    }
    return this.#keys;
  }

  #placeSealer(): PlaceSealer {
    return {
      head: (place) => {
        checkPlace(place);
        // Raises for a namespace without a key, before anything of it can be cached.
        this.#unsealed().nameKeys(place.namespace);
        return placeHead(place);
      },
      name: (place, folder, name) => {
        const nameKeys = this.#unsealed().nameKeys(place.namespace);
        const key = sealSegment(nameKeys, folder, name, this.#slabs.places);
        checkPlaceKey(key);
        return key;
      },
      copy: (key) => {
        const copy = this.#slabs.places.take(key.length);
        copy.set(key);
        return copy;
      },
    };
  }

  #placeKey(place: Place): Uint8Array {
    this.#unsealed();
    return this.#sealedPlaces.key(place);
  }

  /** Opens the segment that fills `[at, at + length)` of a store key. */
  #openName(namespace: Uint8Array, key: Uint8Array, at: number, length: number): string {
    const end = at + length;
    const sealed = latin1Text(key.subarray(0, end));
    const known = this.#openedNames.get(sealed);
    if (known !== undefined) return known;
    const keys = this.#unsealed();
    if (!keys.hasNamespace(namespace)) throw tamperedName();
    const nameKeys = keys.nameKeys(namespace);
    const bytes = openSegment(nameKeys, key.subarray(0, at), key.subarray(at, end));
    if (bytes === undefined) throw tamperedName();
    const name = utf8Text(bytes);
    this.#openedNames.set(sealed, name);
    return name;
  }
}

/** Everything that a value must not be moved away from: never the Raft index, so that a rewrap or
 * a restored backup opens. */
function valueAad(place: Place, head: Uint8Array): WriteAad {
  return (draft) => {
    draft.part(VALUE_LABEL);
    draft.part(head);
    draft.part(place.namespace);
    draft.part(place.mount);
    draft.part(Uint8Array.of(place.kind));
    for (const segment of place.path) draft.textPart(segment);
  };
}

function tamperedName(): StrongroomError {
  return new StrongroomError(
    'barrier.tampered',
    'Cannot open a stored name: it was changed, moved, or sealed under another key',
  );
}

function unknownEpoch(epoch: number): StrongroomError {
  return new StrongroomError(
    'barrier.tampered',
    `Cannot open a stored value: the keyring has no epoch ${epoch}, the value was changed or the keyring is older than it`,
    { details: { epoch } },
  );
}
