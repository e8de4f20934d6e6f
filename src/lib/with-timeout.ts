/**
 * A signal that fires with `signal`, or after `ms`. Not by `AbortSignal.timeout`: inside
 * `AbortSignal.any` Node 20 may collect that one as garbage, and then it never fires.
 */
export function withTimeout(signal: AbortSignal, ms: number): AbortSignal {
  const limit = new AbortController();
  setTimeout(() => limit.abort(new DOMException('Time ran out', 'TimeoutError')), ms).unref();
  return AbortSignal.any([signal, limit.signal]);
}
