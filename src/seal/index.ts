export { KeptRoot } from './kept-root.ts';
export { createSeal } from './node-seal.ts';
export { MANUAL_RECORD, type SealRecords, type SlotKind } from './records.ts';
export type {
  AlongWithRoot,
  Seal,
  SealOptions,
  SealState,
  SealStatus,
  ShareCounts,
  SlotStatus,
  UnsealOutcome,
} from './seal.ts';
export type {
  DevSlotConfig,
  Pkcs11SlotConfig,
  ShamirSlotConfig,
  SlotConfig,
} from './slot-config.ts';
export type { SlotHealth } from './slot-health.ts';
