import { type DestinationStream, pino } from 'pino';
import type { LogFields, Logger } from './log.ts';
import { redactFields, redactText } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Bytes waiting for a slow reader of the log; more are dropped, so that logging cannot fill memory. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;

export interface PinoLoggerOptions {
  readonly level: LogLevel;
  /** A stream with `write`, or where to write: a file's path, `stdout` or `stderr` (the default). */
  readonly destination?: DestinationStream | 'stdout' | 'stderr' | (string & {});
  /** Names the process on every line: a node's own name. */
  readonly name?: string;
}

/** A `Logger` that owns its destination. */
export interface ClosableLogger extends Logger {
  /** Resolves when every line so far is handed to the operating system. */
  flush(): Promise<void>;
}

/**
 * JSON lines by pino: `time` (ISO), `level`, `name`, `pid`, `message`, then the fields. Fields named
 * like secrets are replaced whatever their value (see `redact.ts`). No key comes twice in a line: a
 * field whose key is taken already is written as `line.<key>`.
 */
export function pinoLogger(options: PinoLoggerOptions): ClosableLogger {
  const destination = openDestination(options.destination ?? 'stderr');
  const logger = pino(
    {
      level: options.level,
      base: { ...(options.name === undefined ? {} : { name: options.name }), pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination.stream,
  );
  return Object.assign(wrap(logger, new Set(OWN_KEYS)), { flush: destination.flush });
}

type PinoMethods = Pick<
  ReturnType<typeof pino>,
  'debug' | 'info' | 'warn' | 'error' | 'isLevelEnabled'
> & {
  child(bindings: Record<string, unknown>): PinoMethods;
};

const OWN_KEYS = ['level', 'time', 'name', 'pid', 'message'];

function wrap(logger: PinoMethods, taken: ReadonlySet<string>): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') => (fields: LogFields, message: string) => {
      // Redaction costs; lines that nobody will see skip it.
      if (logger.isLevelEnabled(level))
        logger[level](distinct(redactFields(fields), taken), redactText(message));
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child(fields) {
      const added = distinct(redactFields(fields), taken);
      return wrap(logger.child(added), new Set([...taken, ...Object.keys(added)]));
    },
  };
}

/** Readers of JSON keep the last of two equal keys, and which was meant would be lost. */
function distinct(fields: Record<string, unknown>, taken: ReadonlySet<string>) {
  if (!Object.keys(fields).some((key) => taken.has(key))) return fields;
  const free = (key: string): string => (taken.has(key) ? free(`line.${key}`) : key);
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [free(key), value]));
}

function openDestination(to: DestinationStream | string): {
  readonly stream: DestinationStream;
  readonly flush: () => Promise<void>;
} {
  if (typeof to !== 'string') return { stream: to, flush: () => Promise.resolve() };
  const dest = to === 'stdout' ? 1 : to === 'stderr' ? 2 : to;
  const stream = pino.destination({
    dest,
    // Asynchronous, so that a stalled reader of the log never stalls the event loop.
    sync: false,
    maxLength: PENDING_BYTES_MAX,
    append: true,
    mkdir: typeof dest === 'string',
    mode: 0o600,
  });
  const opened =
    typeof dest === 'number'
      ? Promise.resolve()
      : new Promise<void>((resolve, reject) => {
          stream.once('ready', () => resolve());
          stream.once('error', reject);
        });
  // A log that cannot be opened or written (a full disk) must not end the process by an unhandled error.
  opened.catch(() => undefined);
  stream.on('error', () => undefined);
  return { stream, flush: () => opened.then(() => stream.flushSync()) };
}
