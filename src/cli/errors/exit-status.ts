import { hasCode, StrongroomError } from '../../lib/index.ts';

/** What the process's exit status tells scripts. */
export const exitStatus = {
  ok: 0,
  /** The command was wrong, or something on this machine: flags, files, configuration. */
  local: 1,
  /** The cluster refused or failed; or, for `status`, the node is sealed. */
  server: 2,
  /** What was to be checked does not hold: `audit verify`, `policy test`, `policy fmt --check`. */
  failedCheck: 3,
  /** No node could be reached in time. */
  unreachable: 4,
  /** Stopped by Ctrl-C. */
  interrupted: 130,
} as const;

/** The exit status for a failure that ended a command. */
export function exitStatusOf(error: unknown): number {
  if (!(error instanceof StrongroomError)) return exitStatus.local;
  if (/^(?:cli|config)\./.test(error.code)) return exitStatus.local;
  if (hasCode(error, 'client.unreachable')) return exitStatus.unreachable;
  return exitStatus.server;
}
