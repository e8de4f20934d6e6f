import { concatBytes, StrongroomError, utf8Bytes } from '../lib/index.ts';
import { UUID_BYTES } from './keyring.ts';
import type { Place, Uuid } from './place.ts';
import { SEGMENT_BYTES_MAX } from './sealed-segment.ts';

/** First byte of every key that the barrier makes. */
export const SEALED_SPACE = 0x10;
/** Deepest path. */
export const SEGMENTS_MAX = 64;
/** Longest store key: what the store takes. */
export const PLACE_KEY_BYTES_MAX = 8 * 1024;
/** space (1) | namespace (16) | mount (16) | kind (1), before the sealed names. */
export const PLACE_HEAD_BYTES = 2 + 2 * UUID_BYTES;

// Unpaired surrogates all encode to U+FFFD, so two different names would share a place.
const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

/**
 * The part of a store key that is not sealed. The uuids are random and say nothing by themselves;
 * in clear they keep a namespace, a mount and a kind one range each.
 */
export function placeHead(place: Omit<Place, 'path'>): Uint8Array {
  return concatBytes(
    Uint8Array.of(SEALED_SPACE),
    place.namespace,
    place.mount,
    Uint8Array.of(place.kind),
  );
}

/**
 * The store keys of a whole namespace, of one mount of it, or of one kind of record in that mount:
 * for deleting them at once. Needs no keys.
 */
export function sealedRange(
  namespace: Uuid,
  mount?: Uuid,
  kind?: number,
): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const start = concatBytes(
    Uint8Array.of(SEALED_SPACE),
    namespace,
    mount ?? new Uint8Array(0),
    mount === undefined || kind === undefined ? new Uint8Array(0) : Uint8Array.of(kind),
  );
  return { start, end: successor(start) };
}

/** The first key after all that start with `prefix`. It exists, because the space byte is not 0xff. */
function successor(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte !== 0xff);
  const end = prefix.slice(0, last + 1);
  end[last] = (end[last] ?? 0) + 1;
  return end;
}

/** @throws StrongroomError `request.invalid` */
export function checkPlace(place: Place): void {
  if (place.namespace.length !== UUID_BYTES || place.mount.length !== UUID_BYTES) {
    throw invalid(`the uuids of namespace and mount have ${UUID_BYTES} bytes each`);
  }
  if (!Number.isInteger(place.kind) || place.kind < 0 || place.kind > 255) {
    throw invalid('its kind is from 0 to 255');
  }
  if (place.path.length > SEGMENTS_MAX) throw invalid(`it has at most ${SEGMENTS_MAX} segments`);
  for (const segment of place.path) {
    if (segment === '') throw invalid('no segment of it is empty');
    // A UTF-16 unit is at most 3 bytes, so most names need no encoding to be known short enough.
    if (segment.length * 3 > SEGMENT_BYTES_MAX && utf8Bytes(segment).length > SEGMENT_BYTES_MAX) {
      throw invalid(`a segment has at most ${SEGMENT_BYTES_MAX} bytes of UTF-8`);
    }
    if (UNPAIRED_SURROGATE.test(segment)) throw invalid('its segments are well-formed Unicode');
  }
}

/** @throws StrongroomError `request.invalid` */
export function checkPlaceKey(key: Uint8Array): void {
  if (key.length > PLACE_KEY_BYTES_MAX) {
    throw invalid(`sealed, all of it has at most ${PLACE_KEY_BYTES_MAX} bytes`);
  }
}

function invalid(rule: string): StrongroomError {
  return new StrongroomError('request.invalid', `Cannot use this path: ${rule}`);
}
