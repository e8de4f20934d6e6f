import { StrongroomError } from '../lib/index.ts';

/** `stale`: it opens an older root, from which the current one is still reached. */
export type SlotHealth = 'ok' | 'stale' | 'unreachable' | 'tampered' | 'pin-rejected' | 'unknown';

export interface SlotFinding {
  readonly health: SlotHealth;
  /** Why it is not ok, and what would help; empty when it is. */
  readonly reason: string;
  /** When it last opened on this node; milliseconds of wall time, for people. */
  readonly provenAtMs?: number;
}

/** What a failed try to open a slot says of it. */
export function healthOf(error: unknown): SlotHealth {
  if (!(error instanceof StrongroomError)) return 'unknown';
  switch (error.code) {
    case 'hsm.unavailable':
    case 'hsm.timeout':
    case 'hsm.token-missing':
    case 'hsm.module-missing':
    case 'hsm.module-crashed':
    case 'hsm.sessions-exhausted':
    case 'hsm.closed':
      return 'unreachable';
    case 'hsm.pin-rejected':
    case 'hsm.pin-final-try':
    case 'hsm.pin-locked':
    case 'hsm.pin-unusable':
    case 'hsm.pin-unreadable':
      return 'pin-rejected';
    case 'hsm.key-missing':
    case 'hsm.key-mismatch':
    case 'hsm.data-refused':
    case 'hsm.policy-violation':
    case 'seal.envelope-corrupt':
    case 'seal.root-mismatch':
    case 'seal.dev-key-missing':
      return 'tampered';
    default:
      return 'unknown';
  }
}

/** The envelope itself is bad, while its key may well work: it can be written anew from the root. */
export function isMendable(error: unknown): boolean {
  return (
    error instanceof StrongroomError &&
    (error.code === 'hsm.data-refused' ||
      error.code === 'seal.envelope-corrupt' ||
      error.code === 'seal.root-mismatch')
  );
}
