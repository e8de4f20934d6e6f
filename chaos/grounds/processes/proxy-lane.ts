import type { Socket } from 'node:net';
import type { Random } from '../../../src/lib/index.ts';
import type { LinkState } from './link-state.ts';
import { arrival, corrupted } from './lossy-link.ts';

const HELD_BYTES_MAX = 64 * 1024 * 1024;

/** One direction of one connection: what comes in goes out later, always in order. */
export class Lane {
  readonly #to: Socket;
  readonly #state: () => LinkState;
  readonly #giveUp: () => void;
  readonly #random: Random;
  readonly #queue: { readonly chunk: Buffer | 'end'; readonly dueAt: number }[] = [];
  #heldBytes = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param giveUp ends the connection: nothing that comes later could be put in order. */
  constructor(
    from: Socket,
    to: Socket,
    state: () => LinkState,
    giveUp: () => void,
    random: Random,
  ) {
    this.#to = to;
    this.#state = state;
    this.#giveUp = giveUp;
    this.#random = random;
    from.on('data', (chunk) => this.#take(chunk));
    from.on('end', () => this.#take('end'));
  }

  /** The link's state has changed: what was held may go, and what is on its way keeps its time. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state().kind === 'stall') return;
    const now = performance.now();
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (next.dueAt > now) {
        this.#timer = setTimeout(() => this.wake(), Math.ceil(next.dueAt - now));
        this.#timer.unref();
        return;
      }
      this.#queue.shift();
      this.#heldBytes -= next.chunk === 'end' ? 0 : next.chunk.length;
      pass(this.#to, next.chunk);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #take(chunk: Buffer | 'end'): void {
    const state = this.#state();
    if (state.kind === 'pass' && this.#queue.length === 0) {
      pass(this.#to, chunk);
      return;
    }
    const bytes = chunk === 'end' ? 0 : chunk.length;
    this.#heldBytes += bytes;
    // A peer that writes on for ever into a dead link would fill this process.
    if (this.#heldBytes > HELD_BYTES_MAX) {
      this.#giveUp();
      return;
    }
    const now = performance.now();
    const arrives =
      state.kind === 'shaped' ? arrival(state, now, this.#lastDueAt, bytes, this.#random) : now;
    if (arrives === undefined) {
      this.#giveUp();
      return;
    }
    this.#lastDueAt = Math.max(arrives, this.#lastDueAt);
    const sent =
      state.kind === 'shaped' && chunk !== 'end'
        ? corrupted(chunk, state.corruptRatio, this.#random)
        : chunk;
    this.#queue.push({ chunk: sent, dueAt: this.#lastDueAt });
    if (this.#timer === undefined) this.wake();
  }
}

function pass(to: Socket, chunk: Buffer | 'end'): void {
  if (to.destroyed || !to.writable) return;
  if (chunk === 'end') to.end();
  else to.write(chunk);
}
