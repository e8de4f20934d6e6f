import { type Document, isMap, isPair, isScalar, type LineCounter } from 'yaml';
import { StrongroomError } from '../../src/lib/index.ts';
import type { Place } from './scenario.ts';

type Path = readonly PropertyKey[];

/** Collects what is wrong with a scenario file, each with its place. */
export class Problems {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #found: { readonly place: Place; readonly message: string }[] = [];

  constructor(file: string, document: Document, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /** Where the value at `path` stands, or the nearest thing around it that is there. */
  placeOf(path: Path): Place {
    for (let length = path.length; length > 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true) as
        | { readonly range?: readonly number[] | null }
        | undefined;
      const offset = node?.range?.[0];
      if (offset !== undefined) return this.placeAt(offset);
    }
    return { line: 1, column: 1 };
  }

  /** Where the word `key` itself stands inside the map at `path`. */
  placeOfKey(path: Path, key: string): Place {
    const map = path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
    if (isMap(map)) {
      for (const pair of map.items) {
        if (isPair(pair) && isScalar(pair.key) && pair.key.value === key && pair.key.range)
          return this.placeAt(pair.key.range[0]);
      }
    }
    return this.placeOf(path);
  }

  placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }

  at(path: Path, message: string): void {
    this.add(this.placeOf(path), message);
  }

  add(place: Place, message: string): void {
    this.#found.push({ place, message });
  }

  /** @throws StrongroomError `config.invalid`, with one line for each problem, in the file's order. */
  throwIfAny(): void {
    if (this.#found.length === 0) return;
    const lines = [...this.#found]
      .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
      .map(({ place, message }) => `${this.#file}:${place.line}:${place.column}: ${message}`);
    throw new StrongroomError('config.invalid', [...new Set(lines)].join('\n'));
  }
}
