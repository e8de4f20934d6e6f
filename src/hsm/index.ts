export type { KekInfo, Token, TokenAddress, WrapMechanism } from './token.ts';
