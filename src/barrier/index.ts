export type { Barrier, Child } from './barrier.ts';
export { type BarrierOptions, createBarrier, VALUE_OVERHEAD_BYTES } from './create-barrier.ts';
export {
  addEpoch,
  addNamespaceKey,
  dropEpoch,
  EPOCHS_MAX,
  Keyring,
  NAMESPACES_MAX,
  newKeyring,
  removeNamespaceKey,
} from './keyring.ts';
export { openKeyring, sealKeyring } from './keyring-blob.ts';
export type { Place, Uuid } from './place.ts';
export { SEALED_SPACE, SEGMENTS_MAX, sealedRange } from './place-key.ts';
export { SEGMENT_BYTES_MAX } from './sealed-segment.ts';
export { loadSodium } from './sodium.ts';
