import type { Clock } from '../../src/lib/index.ts';

/** The machine's clock, with timers that keep the process alive: a run is waited for. */
export const machineClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
