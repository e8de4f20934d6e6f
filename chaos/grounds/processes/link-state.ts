/**
 * What one direction of a link does. `pass`: all goes through. `cut`: connections are reset and new
 * ones refused. `stall`: bytes are taken and held (a partition as TCP sees it: nobody is told).
 * `shaped`: held, lost (as TCP sees it: later by a retransmission) and bounded.
 */
export type LinkState =
  | { readonly kind: 'pass' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'stall' }
  | {
      readonly kind: 'shaped';
      readonly delayMs: number;
      readonly jitterMs: number;
      readonly lossRatio: number;
      readonly bytesPerSecond: number;
    };
