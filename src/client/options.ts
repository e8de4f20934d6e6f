import { type Clock, type Random, SystemRandom, systemClock } from '../lib/index.ts';

/** How fresh a read must be. */
export type Consistency =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'at-least'; readonly revision: number }
  | { readonly kind: 'bounded'; readonly stalenessMs: number }
  | { readonly kind: 'eventual' };

export interface ClientOptions {
  /**
   * `host:port` of one node or several, or with `https://` or `http://` before it; further nodes are
   * learned from the cluster.
   */
  readonly addresses: readonly string[];
  /** PEM of the cluster's CA. Without it the system's own authorities are trusted. */
  readonly ca?: string | undefined;
  /** Speaks plain text. For development only; `http://` in an address says the same. */
  readonly insecurePlaintext?: boolean | undefined;
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
  /** Reads that may be stale go to a replica of this region, if there is one. */
  readonly region?: string | undefined;
  /** For calls that name none. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export interface CallOptions {
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
  readonly consistency?: Consistency | undefined;
  /** For all attempts together. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** 16 to 64 bytes; a fresh one is drawn for each call that is given none. */
  readonly requestId?: Uint8Array | undefined;
  readonly correlationId?: string | undefined;
  /** Ask the node at this address and no other: `host:port`. */
  readonly address?: string | undefined;
  /** How often a node is asked at most: 1 for whoever wants to know whether it answers now. */
  readonly attemptsMax?: number | undefined;
}

/** `ClientOptions` with everything decided. */
export interface ClientSettings {
  readonly ca: string | undefined;
  readonly insecurePlaintext: boolean;
  readonly token: string | undefined;
  readonly namespace: string | undefined;
  readonly region: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

const TIMEOUT_MS = 30_000;

export function settingsFrom(options: ClientOptions): ClientSettings {
  return {
    ca: options.ca,
    insecurePlaintext: options.insecurePlaintext ?? false,
    token: options.token,
    namespace: options.namespace,
    region: options.region,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    clock: options.clock ?? waitingClock,
    random: options.random ?? new SystemRandom(),
  };
}

/** Bounds of the client: what it keeps and sends, whatever it is asked. */
export const clientBounds = {
  nodesMax: 1_000,
  /** Calls on the wire to one node, within what a server takes on one pipeline. */
  inFlightMax: 1_000,
  /** Calls that wait for the wire. */
  waitingMax: 100_000,
  frameCallsMax: 512,
  frameBytes: 256 * 1024,
  /** Of one message, either way: the server's bound. */
  messageBytesMax: 4 * 1024 * 1024,
  attemptsMax: 1_000,
  /** Longest silence of one node before another is asked. */
  attemptMs: 5_000,
  /** A node that says nothing for so long after a call was called off is not there any more. */
  silenceMs: 3_000,
  connectMs: 3_000,
  backoffMsMin: 20,
  backoffMsMax: 500,
  /** A node that failed is asked last for so long. */
  avoidMs: 5_000,
} as const;

/**
 * The machine's clock, with timers that keep the process alive: they run only while somebody waits
 * for an answer, and a program that has nothing else to do must not end before it has one.
 */
const waitingClock: Clock = {
  ...systemClock,
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
