import { type Clock, systemClock } from '../../src/lib/index.ts';

/** Its time is what a test says; its timers run by the machine's. */
export class ManualClock implements Clock {
  nowMs = 0;
  monotonicMs = () => this.nowMs;
  wallMs = () => this.nowMs;
  after(delayMs: number, callback: () => void) {
    return systemClock.after(delayMs, callback);
  }
}
