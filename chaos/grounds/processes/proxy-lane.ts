import type { Socket } from 'node:net';
import type { LinkState } from './link-state.ts';

const HELD_BYTES_MAX = 64 * 1024 * 1024;
/** Linux retransmits a lost segment after at least this long, and doubles it each time. */
const RETRANSMIT_MS = 200;
const RETRANSMITS_MAX = 6;
const SEGMENT_BYTES = 1_448;

/** One direction of one connection: what comes in goes out later, always in order. */
export class Lane {
  readonly #to: Socket;
  readonly #state: () => LinkState;
  readonly #overflow: () => void;
  readonly #queue: { readonly chunk: Buffer | 'end'; readonly dueAt: number }[] = [];
  #heldBytes = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, state: () => LinkState, overflow: () => void) {
    this.#to = to;
    this.#state = state;
    this.#overflow = overflow;
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
      this.#overflow();
      return;
    }
    const now = performance.now();
    const arrives = state.kind === 'shaped' ? arrival(state, now, this.#lastDueAt, bytes) : now;
    this.#lastDueAt = Math.max(arrives, this.#lastDueAt);
    this.#queue.push({ chunk, dueAt: this.#lastDueAt });
    if (this.#timer === undefined) this.wake();
  }
}

/** When bytes that are sent now come out of a shaped link. */
function arrival(
  state: Extract<LinkState, { kind: 'shaped' }>,
  now: number,
  lastDueAt: number,
  bytes: number,
): number {
  const jitter = state.jitterMs * (2 * Math.random() - 1);
  const sent = Math.max(now + Math.max(0, state.delayMs + jitter), lastDueAt);
  return sent + (bytes / state.bytesPerSecond) * 1_000 + retransmits(state.lossRatio, bytes);
}

/** TCP makes a loss good: what its ends see is the wait for the retransmission. */
function retransmits(lossRatio: number, bytes: number): number {
  if (lossRatio === 0) return 0;
  const segments = Math.max(1, Math.ceil(bytes / SEGMENT_BYTES));
  const isLost = () => Math.random() < 1 - (1 - lossRatio) ** segments;
  let waited = 0;
  for (let count = 0; count < RETRANSMITS_MAX && isLost(); count++)
    waited += RETRANSMIT_MS * 2 ** count;
  return waited;
}

function pass(to: Socket, chunk: Buffer | 'end'): void {
  if (to.destroyed || !to.writable) return;
  if (chunk === 'end') to.end();
  else to.write(chunk);
}
