import type { PinSource, TokenAddress, WrapMechanism } from '../hsm/index.ts';

/**
 * How this node reaches a slot. The list of slots is the cluster's, the way to them each node's own:
 * nodes may have different modules, or different devices that hold the same key.
 */
export type SlotConfig = Pkcs11SlotConfig | ShamirSlotConfig | DevSlotConfig;

export interface Pkcs11SlotConfig {
  readonly kind: 'pkcs11';
  /** 1 to 32 lower-case letters, digits and dashes. */
  readonly name: string;
  readonly token: TokenAddress;
  readonly pin: PinSource;
  /** For keys that are made from now on. */
  readonly mechanism: WrapMechanism;
  /** Takes a token that fails the conformance probe, and says so at every start. */
  readonly allowLaxToken?: boolean;
}

/** Shares held by people. Needs nothing of the node, and never unseals by itself. */
export interface ShamirSlotConfig {
  readonly kind: 'shamir';
  readonly name: string;
}

/** A key in a file: whoever reads the disk reads everything. For development only. */
export interface DevSlotConfig {
  readonly kind: 'dev';
  readonly name: string;
  /** Path of the key file; made when the slot is. */
  readonly path: string;
}
