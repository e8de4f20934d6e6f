const CENSORED = '[redacted]';
const DEPTH_MAX = 6;
const ITEMS_MAX = 100;
const TEXT_CHARS_MAX = 8192;

/** A field whose name ends so, in any spelling, never shows its value. */
const sensitiveName =
  /(?:token|pin|secret|share|password|passphrase|passwd|privatekey|rootkey|unsealkey|credential|plaintext|authorization|cookie)s?$/;

/** What gives itself away wherever it stands: private keys in PEM, bearer and join tokens. */
const sensitiveText =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|\b(?:hv[sbr]|sr[a-z]?)\.[A-Za-z0-9_.-]{16,}/g;

/**
 * A copy of `fields` that is safe to write to a log: values of fields named like secrets are
 * replaced, bytes become their length, errors their code and message, and depth, items and text
 * are bounded. It is the last net, not a licence to log secrets.
 */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, 0, new Set());
}

/** Replaces what looks like a private key or token inside a text. */
export function redactText(text: string): string {
  const cut = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}...` : text;
  return cut.replace(sensitiveText, CENSORED);
}

function redactObject(
  object: object,
  depth: number,
  above: ReadonlySet<object>,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  let count = 0;
  for (const [name, value] of Object.entries(object)) {
    if (++count > ITEMS_MAX) {
      out['...'] = `${Object.keys(object).length - ITEMS_MAX} more`;
      break;
    }
    out[name] =
      isSensitive(name) && value !== undefined ? CENSORED : redactValue(value, depth, above);
  }
  return out;
}

function redactValue(value: unknown, depth: number, above: ReadonlySet<object>): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Date) return value;
  if (above.has(value) || depth >= DEPTH_MAX) return '[deeper]';
  const here = new Set(above).add(value);
  if (value instanceof Error) return redactError(value, depth, here);
  // SecretBytes and other types that know how to show themselves.
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return redactValue(value.toJSON(), depth + 1, here);
  }
  if (Array.isArray(value)) {
    return value.slice(0, ITEMS_MAX).map((item) => redactValue(item, depth + 1, here));
  }
  if (value instanceof Map) return redactObject(Object.fromEntries(value), depth + 1, here);
  if (value instanceof Set) return redactValue([...value], depth, here);
  return redactObject(value, depth + 1, here);
}

function redactError(error: Error, depth: number, above: ReadonlySet<object>): object {
  // Own fields carry the code and details; `cause` is own too and is walked as any other value.
  const own = redactObject(error, depth + 1, above);
  return {
    name: error.name,
    ...own,
    message: redactText(error.message),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1, above) }),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
  };
}

function isSensitive(name: string): boolean {
  return sensitiveName.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
}
