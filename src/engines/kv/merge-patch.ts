import { invariant } from '../../lib/index.ts';

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const LIST_PART = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]]|[^"[\]]+/y;

/** What is known of a JSON value for a merge: an object's fields, or the text of anything else. */
type Value = Fields | string;
/** A map, so that a field called "__proto__" is a field like any other. */
type Fields = Map<string, Value>;

/**
 * JSON merge patch (RFC 7396): null removes a field, objects merge, all else replaces. Works on the
 * text, so that what is not patched stays as it was written: numbers that a JavaScript number cannot
 * hold (a 64-bit id) would come out as others.
 *
 * @param target a JSON object, as is `patch`: both valid JSON, and bounded in depth.
 */
export function mergePatch(target: string, patch: string): string {
  return textOf(merged(new Reader(target).object(), new Reader(patch).object()));
}

function merged(target: Fields, patch: Fields): Fields {
  for (const [name, value] of patch) {
    if (value === 'null') target.delete(name);
    else if (typeof value === 'string') target.set(name, value);
    else {
      const before = target.get(name);
      target.set(name, merged(before instanceof Map ? before : new Map(), value));
    }
  }
  return target;
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  const fields = [...value].map(([name, inner]) => `${JSON.stringify(name)}:${textOf(inner)}`);
  return `{${fields.join(',')}}`;
}

/** Takes valid JSON apart as far as a merge has to look into it. */
class Reader {
  readonly #json: string;
  #at = 0;

  constructor(json: string) {
    this.#json = json;
  }

  object(): Fields {
    const fields: Fields = new Map();
    this.#skip(/[\s{]*/y);
    while (this.#json[this.#at] !== '}') {
      const name = JSON.parse(this.#take(STRING)) as string;
      this.#skip(/\s*:\s*/y);
      fields.set(name, this.#value());
      this.#skip(/[\s,]*/y);
    }
    this.#at++;
    return fields;
  }

  #value(): Value {
    switch (this.#json[this.#at]) {
      case '{':
        this.#at++;
        return this.object();
      case '[':
        return this.#list();
      case '"':
        return this.#take(STRING);
      default:
        return this.#take(/[^\s,}\]]+/y);
    }
  }

  /** The whole text of a list: what is in it is replaced, not merged. */
  #list(): string {
    const begin = this.#at;
    let depth = 0;
    do {
      const part = this.#take(LIST_PART);
      if (part === '[') depth++;
      else if (part === ']') depth--;
    } while (depth > 0);
    return this.#json.slice(begin, this.#at);
  }

  #skip(pattern: RegExp): void {
    this.#take(pattern);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#json);
    invariant(found !== null, 'A secret that was checked is no JSON', { at: this.#at });
    this.#at += found[0].length;
    return found[0];
  }
}
