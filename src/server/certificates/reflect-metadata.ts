// The X.509 library's dependency injection insists on the `reflect-metadata` polyfill. This is the
// part of it that it calls, so that one more package is not needed. Import this file first.
const metadata = new WeakMap<object, Map<unknown, unknown>>();

function ownMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key);
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const known = metadata.get(target) ?? new Map<unknown, unknown>();
  metadata.set(target, known.set(key, value));
}

function getMetadata(key: unknown, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Reflect.getPrototypeOf(at)) {
    if (metadata.get(at)?.has(key) === true) return ownMetadata(key, at);
  }
  return undefined;
}

const polyfill = {
  defineMetadata,
  getMetadata,
  getOwnMetadata: ownMetadata,
  metadata: (key: unknown, value: unknown) => (target: object) =>
    defineMetadata(key, value, target),
};

// A real polyfill, when something else brought one, is left in place.
if (!('getMetadata' in Reflect)) Object.assign(Reflect, polyfill);
