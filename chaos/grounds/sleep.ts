import type { Clock } from '../../src/lib/index.ts';

/** Waits that long on the cluster's clock, or until the signal comes; never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(Math.max(0, ms), done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
