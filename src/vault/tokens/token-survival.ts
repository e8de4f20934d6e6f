import { equalBytes, hasCode } from '../../lib/index.ts';
import type { NamespaceRegistry } from '../namespaces/namespace-registry.ts';
import { SYSTEM_MOUNT, systemKind } from '../places.ts';
import type { RecordCache } from '../record-cache.ts';
import type { Authenticator } from './authenticator.ts';

/** Tells which tokens may still be there when an older state takes the place of this one. */
export class TokenSurvival {
  readonly #records: RecordCache;
  readonly #namespaces: NamespaceRegistry;
  readonly #authenticator: Authenticator;

  constructor(records: RecordCache, namespaces: NamespaceRegistry, authenticator: Authenticator) {
    this.#records = records;
    this.#namespaces = namespaces;
    this.#authenticator = authenticator;
  }

  /** The store key of a token that is alive. @throws StrongroomError `seal.sealed` */
  keyOf(token: string, nowMs: number): Uint8Array | undefined {
    const caller = this.#authenticator.find(token, nowMs);
    if (caller === undefined) return undefined;
    const place = {
      namespace: caller.namespace.uuid,
      mount: SYSTEM_MOUNT,
      kind: systemKind.token,
      path: [caller.hash],
    };
    return this.#records.barrier().sealPlace(place).slice();
  }

  /**
   * Whether the token under this store key is alive, and as good as it ever was: an older record of
   * one with a limited number of uses would give back those that were taken.
   *
   * @throws StrongroomError `seal.sealed`
   */
  survives(key: Uint8Array, nowMs: number): boolean {
    const place = this.#placeOf(key);
    const [hash] = place?.path ?? [];
    const isToken =
      place?.kind === systemKind.token &&
      equalBytes(place.mount, SYSTEM_MOUNT) &&
      hash !== undefined;
    if (!isToken) return false;
    const namespace = this.#namespaces.byUuid(place.namespace);
    if (namespace === undefined) return false;
    return this.#authenticator.findByHash(hash, namespace, nowMs)?.record.usesLeft === 0;
  }

  #placeOf(key: Uint8Array) {
    try {
      return this.#records.barrier().openPlace(key);
    } catch (error) {
      // A namespace whose key was destroyed: nothing of it comes back.
      if (hasCode(error, 'barrier.tampered', 'barrier.no-namespace-key')) return undefined;
      throw error;
    }
  }
}
