export type { Branded } from './brand.ts';
export {
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  hex,
  latin1Text,
  lengthPrefixed,
  SecretBytes,
  utf8Bytes,
  utf8Text,
} from './bytes.ts';
export { asAbortSignal, type Cancellation, CancelSource, LinkedCancel } from './cancellation.ts';
export { type Clock, systemClock, type Timer } from './clock.ts';
export { type Deferred, deferred } from './deferred.ts';
export {
  type ErrorCode,
  type ErrorDetails,
  errorTable,
  hasCode,
  StrongroomError,
} from './errors/strongroom-error.ts';
export type { ErrorTraits } from './errors/traits.ts';
export { InvariantError, invariant, unreachable } from './invariant.ts';
export { KeyedMutex } from './keyed-mutex.ts';
export { type Random, SeededRandom, SystemRandom } from './random.ts';
export { RecentCache } from './recent-cache.ts';
export { addressUnavailable, splitAddress, TcpPort } from './tcp-port.ts';
export { type TimeLimit, withTimeout } from './time-limit.ts';
