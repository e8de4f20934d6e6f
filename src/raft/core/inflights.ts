import type { LogIndex } from './message.ts';

interface Sent {
  readonly last: LogIndex;
  readonly bytes: number;
}

/** Appends on their way to one peer, bounded in number and in payload bytes. */
export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #sent: Sent[] = [];
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#sent.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One append may overshoot the byte budget: an entry larger than it must still pass. */
  get full(): boolean {
    return this.#sent.length >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  add(last: LogIndex, bytes: number): void {
    this.#sent.push({ last, bytes });
    this.#bytes += bytes;
  }

  /** The peer has everything up to `index`. */
  freeUpTo(index: LogIndex): void {
    let freed = 0;
    for (const sent of this.#sent) {
      if (sent.last > index) break;
      freed += 1;
      this.#bytes -= sent.bytes;
    }
    if (freed > 0) this.#sent.splice(0, freed);
  }

  clear(): void {
    this.#sent = [];
    this.#bytes = 0;
  }
}
