/**
 * What one direction of a link does. `pass`: all goes through. `cut`: connections are reset and new
 * ones refused. `stall`: bytes are taken and held (a partition as TCP sees it: nobody is told).
 * `shaped`: held, bounded, lost (as TCP's ends see it: later by a retransmission, and reset when it
 * is lost again and again), and with flipped bits.
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
      readonly corruptRatio: number;
      readonly bytesPerSecond: number;
    };
