import { homedir } from 'node:os';
import { StrongroomError } from '../lib/index.ts';
import type { ApiClient, CliIo, Target } from './io.ts';

const STDIN_BYTES_MAX = 16 * 1024 * 1024;
const COLUMNS = 100;

/** The world of a real process. */
export function processIo(signal: AbortSignal): CliIo {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
    homeDir: homedir(),
    isTerminal: process.stdout.isTTY === true,
    columns: () => process.stdout.columns || COLUMNS,
    readStdin,
    readStdinBytes: async function* () {
      for await (const chunk of process.stdin) yield new Uint8Array(chunk as Buffer);
    },
    askHidden,
    ask: (question) => ask(question, signal),
    connect: connectTo,
    signal,
    nowMs: () => Date.now(),
  };
}

async function connectTo(target: Target): Promise<ApiClient> {
  // Loaded when needed: completion and help start faster without it.
  const { connect } = await import('../client/index.ts');
  const client = await connect({
    addresses: target.addresses,
    ca: target.caPem,
    insecurePlaintext: target.insecurePlaintext,
    token: target.token,
    namespace: target.namespace,
    region: target.region,
    timeoutMs: target.deadlineMs,
  });
  return {
    call: (operation, payload, options) => client.call(operation, payload, options),
    watch: async function* (request, signal, options) {
      const told = client.watch(request, { signal, ...options });
      for await (const { events, revision } of told) {
        yield { events: events.map((event) => ({ ...event })), revision };
      }
    },
    saveSnapshot: (signal) => client.saveSnapshot({ signal }),
    restoreSnapshot: (chunks, signal, options) =>
      client.restoreSnapshot(chunks, { signal, ...options }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    bytes += (chunk as Buffer).length;
    if (bytes > STDIN_BYTES_MAX) {
      throw new StrongroomError(
        'cli.usage',
        `Cannot read more than ${STDIN_BYTES_MAX} bytes from standard input`,
      );
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  if (process.stdin.isTTY !== true) return undefined;
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C on the terminal is this interface's while it reads.
  terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return await terminal.question(question, { signal });
  } finally {
    terminal.close();
  }
}

/** Reads a line with the terminal's echo off. */
async function askHidden(question: string): Promise<string | undefined> {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true) return undefined;
  stderr.write(question);
  stdin.setRawMode(true);
  try {
    return await new Promise<string>((resolve, reject) => {
      let typed = '';
      const onData = (chunk: Buffer) => {
        for (const char of chunk.toString('utf8')) {
          if (char === '\r' || char === '\n') return done(() => resolve(typed));
          // Ctrl-C and Ctrl-D: in raw mode they are characters.
          if (char === '\u0003' || char === '\u0004') {
            return done(() => reject(new StrongroomError('cli.usage', 'Nothing was typed')));
          }
          typed = char === '\u007f' || char === '\b' ? typed.slice(0, -1) : typed + char;
        }
      };
      const done = (end: () => void) => {
        stdin.off('data', onData);
        stdin.pause();
        end();
      };
      stdin.on('data', onData);
      stdin.resume();
    });
  } finally {
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}
