import { type ErrorCode, StrongroomError, unreachable } from '../../lib/index.ts';
import { CryptokiError, ModuleLoadError } from './cryptoki.ts';
import { CKR, returnValue } from './return-values.ts';

/**
 * Names a failure: what was tried on which token, what the token answered, what would help. It
 * never sees a PIN, so it cannot tell one.
 *
 * @param attempt such as `unwrap under key "strongroom/..."`.
 */
export function named(error: unknown, attempt: string, token: string): StrongroomError {
  if (error instanceof StrongroomError) return error;
  if (error instanceof ModuleLoadError) {
    return new StrongroomError(
      'hsm.module-missing',
      `Cannot load the PKCS#11 module for token "${token}": ${error.message}; install it or mend the path in the slot's configuration`,
    );
  }
  if (!(error instanceof CryptokiError)) {
    const text = error instanceof Error ? error.message : String(error);
    return new StrongroomError('hsm.misuse', `Cannot ${attempt} on token "${token}": ${text}`);
  }
  const { code, hint } = meaning(error.code);
  return new StrongroomError(
    code,
    `Cannot ${attempt} on token "${token}": ${error.message}${hint === '' ? '' : `; ${hint}`}`,
    {
      details: {
        method: error.method,
        ckr: returnValue(error.code).name,
        ckrNumber: error.code,
        token,
      },
    },
  );
}

function meaning(ckr: number): { readonly code: ErrorCode; readonly hint: string } {
  switch (ckr) {
    case CKR.PIN_INCORRECT:
    case CKR.PIN_INVALID:
    case CKR.PIN_LEN_RANGE:
      return {
        code: 'hsm.pin-rejected',
        hint: 'this PIN is not tried again, put the right one into the PIN source',
      };
    case CKR.PIN_LOCKED:
      return {
        code: 'hsm.pin-locked',
        hint: 'the security officer unlocks it by setting a new user PIN (C_InitPIN)',
      };
    case CKR.PIN_EXPIRED:
      return { code: 'hsm.pin-unusable', hint: 'the user PIN has expired, set a new one' };
    case CKR.USER_PIN_NOT_INITIALIZED:
      return {
        code: 'hsm.pin-unusable',
        hint: 'the security officer has to set a user PIN (C_InitPIN)',
      };
    case CKR.SESSION_COUNT:
      return { code: 'hsm.sessions-exhausted', hint: 'other programs hold all of its sessions' };
    case CKR.TOKEN_WRITE_PROTECTED:
      return { code: 'hsm.token-read-only', hint: 'free its storage or lift its protection' };
    default:
      return byClass(ckr);
  }
}

function byClass(ckr: number): { readonly code: ErrorCode; readonly hint: string } {
  const failureClass = returnValue(ckr).class;
  switch (failureClass) {
    case 'session':
    case 'device':
      return { code: 'hsm.unavailable', hint: 'the agent is replaced and tries again' };
    case 'credential':
      return { code: 'hsm.pin-rejected', hint: '' };
    case 'policy':
      return { code: 'hsm.policy-violation', hint: "the token or the key's attributes forbid it" };
    case 'data':
      return { code: 'hsm.data-refused', hint: '' };
    case 'misuse':
      return { code: 'hsm.misuse', hint: 'this is a bug or an unlike module, please report it' };
    default:
      return unreachable(failureClass);
  }
}
