import { auditErrors } from './audit.ts';
import { authErrors } from './auth.ts';
import { barrierErrors } from './barrier.ts';
import { cliErrors } from './cli.ts';
import { clusterErrors } from './cluster.ts';
import { hsmErrors } from './hsm.ts';
import { kvErrors } from './kv.ts';
import { namespaceErrors } from './namespace.ts';
import { raftErrors } from './raft.ts';
import { replicationErrors } from './replication.ts';
import { requestErrors } from './request.ts';
import { sealErrors } from './seal.ts';
import { storeErrors } from './store.ts';
import type { ErrorTraits } from './traits.ts';

/** Every failure that a caller can meet, by its stable code. `docs/errors.md` has a section each. */
export const errorTable = {
  ...requestErrors,
  ...raftErrors,
  ...storeErrors,
  ...barrierErrors,
  ...hsmErrors,
  ...sealErrors,
  ...replicationErrors,
  ...authErrors,
  ...namespaceErrors,
  ...kvErrors,
  ...auditErrors,
  ...clusterErrors,
  ...cliErrors,
} as const satisfies Record<string, ErrorTraits>;

export type ErrorCode = keyof typeof errorTable;

/** Facts for programs: short strings and numbers, never a secret or a plaintext path. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/**
 * A failure with a stable code. The message says what was tried, on what, why not and what would
 * work; it never holds a secret. Decide by `code`, never by text.
 */
export class StrongroomError extends Error {
  override readonly name = 'StrongroomError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get traits(): ErrorTraits {
    return errorTable[this.code];
  }
}

/** Narrows a caught value to a failure with one of the given codes. */
export function hasCode<Code extends ErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is StrongroomError & { readonly code: Code } {
  return error instanceof StrongroomError && (codes as readonly string[]).includes(error.code);
}
