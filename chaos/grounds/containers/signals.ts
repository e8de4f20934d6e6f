const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * A library below testcontainers ends the process with a signal for which it finds no listener but
 * its own, and whoever listens once is gone by then: what Ctrl-C should heal would stay. So this
 * listens too, and ends the process when it is asked for the second time.
 */
export function holdSignals(): Disposable {
  let count = 0;
  const heard = () => {
    count += 1;
    if (count > 1) process.exit(130);
  };
  for (const signal of signals) process.on(signal, heard);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, heard);
    },
  };
}
