import type { SecretBytes } from '../lib/index.ts';
import type { Keyring } from './keyring.ts';
import type { Place } from './place.ts';

/** A store key seen from a folder above it. */
export interface Child {
  /** The name directly below the folder. */
  readonly name: string;
  /** The store key of that name itself: a prefix of everything below it. */
  readonly key: Uint8Array;
  /** Whether the store key lies further down than that name. */
  readonly isDeeper: boolean;
}

/**
 * Plaintext above, ciphertext below. Synchronous: keys are in memory while unsealed, and overwritten
 * by disposal; every call after that raises `barrier.sealed`.
 *
 * Every call on a namespace without a key raises `barrier.no-namespace-key`, every one with a place
 * outside its bounds `request.invalid`.
 */
export interface Barrier extends Disposable {
  /**
   * The store key of a place: deterministic, so that lookup works on ciphertext. Shared with the
   * barrier's cache: never change its bytes.
   */
  sealPlace(place: Place): Uint8Array;
  /** @throws StrongroomError `barrier.tampered` */
  openPlace(key: Uint8Array): Place;
  /** The store keys of everything strictly below a folder. */
  rangeBelow(folder: Place): { readonly start: Uint8Array; readonly end: Uint8Array };
  /**
   * Opens only the one name of `key` that lies directly below `folder`.
   * @throws StrongroomError `barrier.tampered`
   */
  childOf(folder: Place, key: Uint8Array): Child;

  sealValue(place: Place, plaintext: Uint8Array): Uint8Array;
  /** @throws StrongroomError `barrier.tampered` when it was changed, moved or swapped. */
  openValue(place: Place, ciphertext: Uint8Array): Uint8Array;

  /** The epoch that new values are sealed under. */
  readonly epoch: number;
  /**
   * The epoch that `ciphertext` says it was sealed under, for the rewrap sweeper. Opening proves it.
   * @throws StrongroomError `barrier.tampered` when it has no header of this format.
   */
  epochOf(ciphertext: Uint8Array): number;

  /**
   * 32 bytes that only this cluster's keyring gives, equal on all nodes and in all epochs: a key
   * for purposes of its own, such as the audit log's hashes. The caller disposes it.
   */
  deriveSecret(label: string): SecretBytes;

  /**
   * Takes over the keys of a changed keyring (copied; the caller disposes its own).
   * @throws StrongroomError `barrier.keyring-stale` when it is older than the present one.
   */
  useKeyring(keyring: Keyring): void;
}
