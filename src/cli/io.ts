import type { Consistency, RestoreOptions, WatchOptions } from '../client/index.ts';

/** Where and as whom a command talks to the cluster. */
export interface Target {
  /** `host:port` of one or more nodes. */
  readonly addresses: readonly string[];
  /** PEM of the cluster's CA; absent: the system's trust store. */
  readonly caPem: string | undefined;
  readonly insecurePlaintext: boolean;
  readonly token: string | undefined;
  readonly namespace: string;
  readonly region: string | undefined;
  readonly deadlineMs: number;
}

export type Payload = Readonly<Record<string, unknown>>;

export interface CallOptions {
  readonly consistency?: Consistency;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** What the command line needs of the API client. */
export interface ApiClient extends AsyncDisposable {
  call(operation: string, payload: Payload, options?: CallOptions): Promise<Payload>;
  watch(
    request: { readonly mount: string; readonly path: string; readonly afterRevision: number },
    signal: AbortSignal,
    options: WatchOptions,
  ): AsyncIterable<{ readonly events: readonly Payload[]; readonly revision: number }>;
  saveSnapshot(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** @returns the revision after it. */
  restoreSnapshot(
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    options: RestoreOptions,
  ): Promise<number>;
}

/** The world as a command sees it: handed in, so that tests need no process. */
export interface CliIo {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly columns: () => number;
  /** All of standard input, bounded. */
  readStdin(): Promise<string>;
  readStdinBytes(): AsyncIterable<Uint8Array>;
  /** Asks on the terminal without showing what is typed; undefined without a terminal. */
  askHidden(question: string): Promise<string | undefined>;
  /** Asks on the terminal; undefined without one. */
  ask(question: string): Promise<string | undefined>;
  connect(target: Target): Promise<ApiClient>;
  /** Ends with Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  nowMs(): number;
}
