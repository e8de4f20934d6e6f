/** Fields of a log line. Never a secret value, token, PIN or plaintext path. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log lines. `child` adds fields to every line, such as a node or correlation id. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

export const quietLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quietLogger,
};
