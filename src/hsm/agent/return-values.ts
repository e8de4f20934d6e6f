/** What a failed call means for whoever made it (docs/hsm.md, "When a call fails"). */
export type FailureClass =
  /** A stale session or handle: open a new one, find the key again, retry once. */
  | 'session'
  /** The device or the way to it: the agent is replaced, then retried with backoff. */
  | 'device'
  /** A PIN: stop and tell. Never retried. */
  | 'credential'
  /** The key, or what the token allows to be done with it: stop and raise the alarm. */
  | 'policy'
  /** The data was refused; or the device is down and says it badly. A canary decides. */
  | 'data'
  /** A mistake of ours. */
  | 'misuse';

/** One row of PKCS#11 v2.40's return values (section 4.7 of the header, `pkcs11t.h`). */
interface ReturnValue {
  readonly name: string;
  readonly class: FailureClass;
}

const row = (name: string, failureClass: FailureClass): ReturnValue => ({
  name: `CKR_${name}`,
  class: failureClass,
});

/** Our own table: the binding renames every code that it does not know to CKR_VENDOR_DEFINED. */
const returnValues: ReadonlyMap<number, ReturnValue> = new Map([
  [0x02, row('HOST_MEMORY', 'device')],
  [0x03, row('SLOT_ID_INVALID', 'device')],
  [0x05, row('GENERAL_ERROR', 'device')],
  [0x06, row('FUNCTION_FAILED', 'device')],
  [0x07, row('ARGUMENTS_BAD', 'misuse')],
  [0x10, row('ATTRIBUTE_READ_ONLY', 'policy')],
  [0x11, row('ATTRIBUTE_SENSITIVE', 'policy')],
  [0x12, row('ATTRIBUTE_TYPE_INVALID', 'policy')],
  [0x13, row('ATTRIBUTE_VALUE_INVALID', 'misuse')],
  [0x1b, row('ACTION_PROHIBITED', 'policy')],
  [0x20, row('DATA_INVALID', 'data')],
  [0x21, row('DATA_LEN_RANGE', 'data')],
  [0x30, row('DEVICE_ERROR', 'device')],
  [0x31, row('DEVICE_MEMORY', 'device')],
  [0x32, row('DEVICE_REMOVED', 'device')],
  [0x40, row('ENCRYPTED_DATA_INVALID', 'data')],
  [0x41, row('ENCRYPTED_DATA_LEN_RANGE', 'data')],
  [0x54, row('FUNCTION_NOT_SUPPORTED', 'policy')],
  [0x60, row('KEY_HANDLE_INVALID', 'session')],
  [0x62, row('KEY_SIZE_RANGE', 'policy')],
  [0x63, row('KEY_TYPE_INCONSISTENT', 'policy')],
  [0x68, row('KEY_FUNCTION_NOT_PERMITTED', 'policy')],
  [0x69, row('KEY_NOT_WRAPPABLE', 'policy')],
  [0x6a, row('KEY_UNEXTRACTABLE', 'policy')],
  [0x70, row('MECHANISM_INVALID', 'policy')],
  [0x71, row('MECHANISM_PARAM_INVALID', 'policy')],
  [0x82, row('OBJECT_HANDLE_INVALID', 'session')],
  [0x90, row('OPERATION_ACTIVE', 'session')],
  [0x91, row('OPERATION_NOT_INITIALIZED', 'session')],
  [0xa0, row('PIN_INCORRECT', 'credential')],
  [0xa1, row('PIN_INVALID', 'credential')],
  [0xa2, row('PIN_LEN_RANGE', 'credential')],
  [0xa3, row('PIN_EXPIRED', 'credential')],
  [0xa4, row('PIN_LOCKED', 'credential')],
  [0xb0, row('SESSION_CLOSED', 'session')],
  [0xb1, row('SESSION_COUNT', 'device')],
  [0xb3, row('SESSION_HANDLE_INVALID', 'session')],
  [0xb5, row('SESSION_READ_ONLY', 'policy')],
  [0xc0, row('SIGNATURE_INVALID', 'data')],
  [0xd0, row('TEMPLATE_INCOMPLETE', 'misuse')],
  [0xd1, row('TEMPLATE_INCONSISTENT', 'misuse')],
  [0xe0, row('TOKEN_NOT_PRESENT', 'device')],
  [0xe1, row('TOKEN_NOT_RECOGNIZED', 'device')],
  [0xe2, row('TOKEN_WRITE_PROTECTED', 'policy')],
  [0x100, row('USER_ALREADY_LOGGED_IN', 'misuse')],
  // Somebody else logged this process out, which voids every handle: only a new agent heals that.
  [0x101, row('USER_NOT_LOGGED_IN', 'device')],
  [0x102, row('USER_PIN_NOT_INITIALIZED', 'credential')],
  [0x110, row('WRAPPED_KEY_INVALID', 'data')],
  [0x112, row('WRAPPED_KEY_LEN_RANGE', 'data')],
  [0x121, row('RANDOM_NO_RNG', 'device')],
  [0x150, row('BUFFER_TOO_SMALL', 'misuse')],
  [0x190, row('CRYPTOKI_NOT_INITIALIZED', 'device')],
  [0x191, row('CRYPTOKI_ALREADY_INITIALIZED', 'misuse')],
]);

export const CKR = {
  GENERAL_ERROR: 0x05,
  FUNCTION_FAILED: 0x06,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_COUNT: 0xb1,
  TOKEN_WRITE_PROTECTED: 0xe2,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_PIN_NOT_INITIALIZED: 0x102,
} as const;

/** For an unknown code, a vendor's own: it is treated as the device's fault. */
export function returnValue(code: number): ReturnValue {
  return returnValues.get(code) ?? row(`0x${code.toString(16)}`, 'device');
}
