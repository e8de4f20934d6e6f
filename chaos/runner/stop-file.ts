import { existsSync } from 'node:fs';
import { join } from 'node:path';

const LOOK_MS = 200;

/** In a run's folder: `strongroom chaos stop` makes it, and so may anybody. */
export const stopFile = 'stop';

/** A signal that comes when one of the files is there: a kill switch for other terminals. */
export function watchForStop(
  folder: string,
  more?: string,
): Disposable & { readonly signal: AbortSignal } {
  const files = [join(folder, stopFile), ...(more === undefined ? [] : [more])];
  const stop = new AbortController();
  // Looked for, and not watched: it may be on a file system that tells nothing.
  const timer = setInterval(() => {
    if (!files.some((file) => existsSync(file))) return;
    clearInterval(timer);
    stop.abort();
  }, LOOK_MS);
  timer.unref();
  return { signal: stop.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
