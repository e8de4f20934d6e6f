import { type ErrorCode, errorTable, InvariantError, StrongroomError } from '../lib/index.ts';
import type { internal } from '../wire/index.ts';

type Failure = internal.internal.v1.PeerFailure.$Properties;

/** A failure for the wire. What has no code is a bug here: its text stays here. */
export function encodeFailure(error: unknown): Failure {
  // A broken invariant must end this node, not become an answer.
  if (error instanceof InvariantError) throw error;
  if (error instanceof StrongroomError) return { code: error.code, message: error.message };
  return { code: 'node.internal', message: 'The other node failed; its log has the facts' };
}

export function decodeFailure(failure: Failure): StrongroomError {
  const code = failure.code ?? '';
  return new StrongroomError(
    isErrorCode(code) ? code : 'node.internal',
    failure.message ?? 'The other node failed and did not say why',
  );
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
