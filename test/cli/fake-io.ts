import {
  type ApiClient,
  type CliIo,
  type Payload,
  runCli,
  type Target,
} from '../../src/cli/index.ts';
import type { StrongroomError } from '../../src/lib/index.ts';

export interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly (readonly [operation: string, payload: Payload])[];
  readonly target: Target | undefined;
}

export type Answers = Readonly<Record<string, Payload | Error | ((payload: Payload) => Payload)>>;

export interface World {
  readonly stdin?: string;
  readonly typed?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
  readonly homeDir?: string;
  readonly events?: readonly Payload[];
  /** A watch meets this before its first event. */
  readonly interrupted?: StrongroomError;
  readonly snapshot?: readonly Uint8Array[];
  readonly signal?: AbortSignal;
}

/** Runs one command against a cluster that answers as told. */
export async function run(
  args: readonly string[],
  answers: Answers = {},
  world: World = {},
): Promise<Run> {
  const seen = { out: '', err: '', target: undefined as Target | undefined };
  const calls: [string, Payload][] = [];
  const client: ApiClient = {
    async call(operation, payload) {
      calls.push([operation, payload]);
      const answer = answers[operation];
      if (answer instanceof Error) throw answer;
      if (answer === undefined) throw new Error(`No answer was prepared for ${operation}`);
      return typeof answer === 'function' ? answer(payload) : answer;
    },
    async *watch(_request, _signal, { onInterrupted, onResumed }) {
      if (world.interrupted !== undefined) {
        onInterrupted?.(world.interrupted);
        onResumed?.();
      }
      yield { events: world.events ?? [], revision: 1 };
    },
    async *saveSnapshot() {
      yield* world.snapshot ?? [];
    },
    async restoreSnapshot(chunks) {
      let bytes = 0;
      for await (const chunk of chunks) bytes += chunk.length;
      return bytes;
    },
    async [Symbol.asyncDispose]() {},
  };
  const io: CliIo = {
    out: (text) => {
      seen.out += text;
    },
    err: (text) => {
      seen.err += text;
    },
    env: world.env ?? {},
    homeDir: world.homeDir ?? '/nowhere',
    isTerminal: world.isTerminal ?? false,
    columns: () => 100,
    readStdin: async () => world.stdin ?? '',
    async *readStdinBytes() {
      yield new TextEncoder().encode(world.stdin ?? '');
    },
    askHidden: async () => world.typed,
    ask: async () => world.typed,
    connect: async (target) => {
      seen.target = target;
      return client;
    },
    signal: world.signal ?? new AbortController().signal,
    nowMs: () => 0,
  };
  const status = await runCli(args, io);
  return { status, out: seen.out, err: seen.err, calls, target: seen.target };
}
