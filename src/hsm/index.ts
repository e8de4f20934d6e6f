export type { TokenFacts } from './agent/protocol.ts';
export { wrapWithPublicKey } from './agent/wrap-public.ts';
export { isBindingCompiled } from './binding.ts';
export { createPinGuard, type PinGuard } from './pin-guard.ts';
export { type PinSource, pinFromDescriptor, pinFromFile, pinFromPrompt } from './pin-source.ts';
export { findSoftHsm, initSoftHsmToken, softHsmEnvironment } from './softhsm.ts';
export {
  defaultDeadlines,
  openToken,
  superviseToken,
  type TokenDeadlines,
  type TokenOptions,
} from './supervised-token.ts';
export type {
  KekInfo,
  ProbeFinding,
  Token,
  TokenAddress,
  TokenInfo,
  WrapMechanism,
} from './token.ts';
