import fc from 'fast-check';
import {
  addNamespaceKey,
  type Barrier,
  createBarrier,
  type Keyring,
  newKeyring,
  type Place,
} from '../../src/barrier/index.ts';
import { SeededRandom } from '../../src/lib/index.ts';

export const uuid = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);
export const rootNamespace = uuid(1);
export const tenant = uuid(2);
export const mount = uuid(7);

export const placeOf = (...path: readonly string[]): Place => ({
  namespace: rootNamespace,
  mount,
  kind: 3,
  path,
});

/** A keyring with the two namespaces of this fixture. */
export function keyringOf(seed: number): Keyring {
  const random = new SeededRandom(seed);
  using empty = newKeyring(random);
  using one = addNamespaceKey(empty, rootNamespace, random);
  return addNamespaceKey(one, tenant, random);
}

export function barrierOf(seed: number, namesCachedMax?: number): Barrier {
  using keyring = keyringOf(seed);
  return createBarrier({
    keyring,
    random: new SeededRandom(seed + 1),
    ...(namesCachedMax === undefined ? {} : { namesCachedMax }),
  });
}

/** Any well-formed name that a caller may give, empty ones left out. */
export const anySegment = fc
  .oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('a', 'b', 'a/', '/', '.'))
  .filter((text) => text.length <= 100);

export const anyPlace: fc.Arbitrary<Place> = fc.record({
  namespace: fc.constantFrom(rootNamespace, tenant),
  mount: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  kind: fc.integer({ min: 0, max: 255 }),
  path: fc.array(anySegment, { minLength: 1, maxLength: 5 }),
});

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  const at = Math.floor(bit / 8) % bytes.length;
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit % 8));
  return flipped;
}

/** The code of the failure that `act` raises, or `none`. */
export function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `bug: ${String(error)}`;
  }
}
