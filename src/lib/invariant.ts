/**
 * A broken invariant: a bug, never an outcome. Whoever runs the node catches it at the top, writes
 * the facts to the log and ends the process with `EXIT_STATUS`; nothing else may catch it.
 */
export class InvariantError extends Error {
  static readonly EXIT_STATUS = 70;
  override readonly name = 'InvariantError';
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(message: string, facts: Readonly<Record<string, unknown>>) {
    super(message);
    this.facts = facts;
  }
}

/**
 * Stops the node when `condition` does not hold. Cheap, and on in production: a crash beats
 * corruption.
 *
 * @param facts numbers and ids only, never secret values: they are logged.
 * @throws InvariantError
 */
export function invariant(
  condition: boolean,
  message: string,
  facts: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new InvariantError(message, facts);
}

/** Closes an exhaustive `switch`: compiles only when every case was handled. */
export function unreachable(value: never): never {
  throw new InvariantError('Unreachable case', { value: String(value) });
}
