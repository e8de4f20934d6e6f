type JsonObject = Readonly<Record<string, unknown>>;

/**
 * JSON merge patch (RFC 7396): null removes a field, objects merge, all else replaces.
 * Recurses: both must be bounded in depth.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  // A map, so that a field called "__proto__" is a field like any other.
  const merged = new Map<string, unknown>(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else if (isObject(value)) {
      const before = merged.get(name);
      merged.set(name, mergePatch(isObject(before) ? before : {}, value));
    } else merged.set(name, value);
  }
  return fromEntries(merged);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fromEntries(entries: ReadonlyMap<string, unknown>): JsonObject {
  return Object.fromEntries(entries);
}
