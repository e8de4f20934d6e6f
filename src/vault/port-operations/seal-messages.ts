import type { MessageSpec } from '../operation.ts';
import { revision } from '../revision-field.ts';

const slot = {
  name: { type: 'string', about: 'The slot' },
  kind: { type: 'string', about: '"pkcs11", "shamir" or "dev"' },
  health: { type: 'string', about: 'ok, stale, unreachable, tampered, pin-rejected or unknown' },
  kekFingerprint: { type: 'string', about: 'Fingerprint of its wrapping key' },
  kekGeneration: { type: 'uint32', about: 'Counts rotations of its wrapping key' },
  reason: { type: 'string', about: 'Why it is not ok, and what would help' },
} as const satisfies MessageSpec;

const node = {
  node: { type: 'uint64', about: 'Node id' },
  state: { type: 'string', about: 'uninitialized, sealed, waiting, unsealed or unreachable' },
  restartReady: { type: 'bool', about: 'It proved lately that it could unseal itself' },
  reason: { type: 'string', about: 'Why not' },
  slots: { type: { list: { message: slot } }, about: 'Slots as this node sees them' },
  lastProofAtMs: { type: 'uint64', about: 'When it last proved that' },
} as const satisfies MessageSpec;

export const sealStatusRequest = {} as const satisfies MessageSpec;

export const sealStatusResponse = {
  revision,
  initialized: { type: 'bool', about: 'Whether there is a root key' },
  sealed: { type: 'bool', about: 'Whether this node is sealed' },
  state: { type: 'string', about: 'uninitialized, sealed, waiting or unsealed' },
  reason: { type: 'string', about: 'What it waits for' },
  slots: { type: { list: { message: slot } }, about: 'The ways to unseal' },
  sharesNeeded: { type: 'uint32', about: 'Shares of a shamir slot that unseal' },
  sharesGiven: { type: 'uint32', about: 'Shares given so far' },
  clusterId: { type: 'string', about: 'The cluster' },
  rootId: { type: 'string', about: 'The root key, by name' },
  keyringEpoch: { type: 'uint32', about: 'The epoch that new values are sealed under' },
  version: { type: 'string', about: 'Of the server' },
  manuallySealed: { type: 'bool', about: 'Sealed by hand: stays so over restarts' },
  nodes: { type: { list: { message: node } }, about: 'Every node, as far as known' },
  node: { type: 'uint64', about: 'The node that answers' },
} as const satisfies MessageSpec;

export const sealInitRequest = {
  shares: { type: 'uint32', about: 'Shares to make, for a shamir slot' },
  threshold: { type: 'uint32', about: 'Shares that unseal' },
} as const satisfies MessageSpec;

export const sealInitResponse = {
  rootToken: { type: 'string', sensitive: true, about: 'A token that may do everything' },
  shares: { type: { list: 'string' }, sensitive: true, about: 'One for each custodian' },
  clusterId: { type: 'string', about: 'The cluster' },
} as const satisfies MessageSpec;

export const sealUnsealRequest = {
  share: { type: 'string', sensitive: true, about: 'One share' },
  reset: { type: 'bool', about: 'Forget the shares given so far' },
  auto: { type: 'bool', about: 'Lift a manual seal; needs a root token' },
} as const satisfies MessageSpec;

export const sealSealRequest = {} as const satisfies MessageSpec;

export const sealAddSlotRequest = {
  name: { type: 'string', max: 128, about: 'The slot to add' },
  kind: { type: 'string', max: 32, about: '"pkcs11" or "shamir"' },
  shares: { type: 'uint32', about: 'Shares to make, for a shamir slot' },
  threshold: { type: 'uint32', about: 'Shares that unseal' },
} as const satisfies MessageSpec;

export const sealAddSlotResponse = {
  revision,
  shares: { type: { list: 'string' }, sensitive: true, about: 'One for each custodian' },
  slot: { type: { message: slot }, about: 'The slot as it is now' },
} as const satisfies MessageSpec;

export const sealRemoveSlotRequest = {
  name: { type: 'string', max: 128, about: 'The slot to remove' },
} as const satisfies MessageSpec;

export const sealForgetRejectedPinsRequest = {
  slot: { type: 'string', max: 128, about: 'The slot whose refused PINs are forgotten' },
} as const satisfies MessageSpec;

export const sealChangeResponse = { revision } as const satisfies MessageSpec;

export const sealRotateRequest = {} as const satisfies MessageSpec;

export const sealRotateRootRequest = {
  compromise: {
    type: 'bool',
    about: 'Drop slots that cannot be sealed anew at once: the old root must lead nowhere',
  },
} as const satisfies MessageSpec;

export const sealRotateKekRequest = {
  slot: { type: 'string', max: 128, about: 'The slot whose wrapping key is replaced' },
  shares: { type: 'uint32', about: 'Shares to make, for a shamir slot' },
  threshold: { type: 'uint32', about: 'Shares that unseal' },
} as const satisfies MessageSpec;

export const sealRotateResponse = {
  revision,
  epoch: { type: 'uint32', about: 'The epoch that new values are sealed under' },
  rootId: { type: 'string', about: 'The root key, by name' },
  kekFingerprint: { type: 'string', about: 'Fingerprint of the new wrapping key' },
  shares: { type: { list: 'string' }, sensitive: true, about: 'New ones, for a shamir slot' },
  dropped: { type: { list: 'string' }, about: 'Slots that no longer unseal' },
} as const satisfies MessageSpec;
