import type { ErrorCode, ErrorDetails } from '../../lib/index.ts';
import type { KekInfo, ProbeFinding, TokenAddress, TokenInfo, WrapMechanism } from '../token.ts';

/** What is known of a token before anybody logs in. */
export interface TokenFacts extends TokenInfo {
  /** Somebody failed since the last good login (`CKF_USER_PIN_COUNT_LOW`). */
  readonly pinCountLow: boolean;
  readonly pinFinalTry: boolean;
  readonly pinLocked: boolean;
}

/** The calls that a node makes of its agent: arguments and result of each. */
export interface AgentCalls {
  open(address: Omit<TokenAddress, 'environment'>): TokenFacts;
  /** The one message that carries a PIN; it goes through the fork's own pipe, to nobody else. */
  login(pin: string): void;
  /** Takes a token that was never initialised. The PINs go through the fork's own pipe as well. */
  initialize(module: string, label: string, soPin: string, pin: string): void;
  generateKek(label: string, mechanism: WrapMechanism): KekInfo;
  findKek(label: string, mechanism: WrapMechanism, fingerprint?: Uint8Array): KekInfo | undefined;
  destroyKek(label: string): void;
  wrap(kek: KekInfo, secret: Uint8Array, context: Uint8Array): Uint8Array;
  unwrap(kek: KekInfo, wrapped: Uint8Array, context: Uint8Array): Uint8Array;
  proveKek(kek: KekInfo): void;
  probeKek(kek: KekInfo): readonly ProbeFinding[];
  randomBytes(count: number): Uint8Array;
}

export type AgentMethod = keyof AgentCalls;

export interface AgentRequest {
  readonly id: number;
  readonly method: AgentMethod;
  readonly args: readonly unknown[];
}

/** A `StrongroomError`, taken apart for the way between two processes. */
export interface AgentFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

export type AgentReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: AgentFailure };
