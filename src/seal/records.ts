import { hasCode, StrongroomError, utf8Bytes, utf8Text } from '../lib/index.ts';
import { corrupt } from './envelope.ts';

/**
 * Small replicated records, readable while sealed. The node backs them with plain system records of
 * the store; names begin with `seal/`.
 */
export interface SealRecords {
  /** From this node's own copy. */
  read(name: string): Uint8Array | undefined;
  /**
   * All changes or none; `undefined` deletes. Resolves once this node's own copy shows them.
   * @param expected what these records must still hold (`undefined`: that there is none).
   * @throws StrongroomError `store.conflict` when one of them does not.
   */
  write(
    changes: ReadonlyMap<string, Uint8Array | undefined>,
    expected?: ReadonlyMap<string, Uint8Array | undefined>,
  ): Promise<void>;
  /** Called after records may have changed, whoever changed them. Returns how to stop that. */
  onChange(callback: () => void): () => void;
}

export type SlotKind = 'pkcs11' | 'shamir' | 'dev';

/** The one record that says what there is: every change of slots or root replaces it. */
export interface SealLayout {
  readonly clusterId: string;
  readonly rootId: string;
  readonly rootGeneration: number;
  /** Increases with every change. */
  readonly revision: number;
  readonly slots: readonly { readonly name: string; readonly kind: SlotKind }[];
}

export const LAYOUT_RECORD = 'seal/layout';
export const MANUAL_RECORD = 'seal/manual';
export const slotRecord = (slot: string): string => `seal/slots/${slot}`;
export const catchUpRecord = (generation: number): string => `seal/catch-up/${generation}`;
export const pinRecord = (slot: string): string => `seal/pin/${slot}`;

const SLOTS_MAX = 16;
const SLOT_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** @throws StrongroomError `seal.slot-unfit` */
export function requireSlotName(name: string): void {
  if (SLOT_NAME.test(name)) return;
  throw new StrongroomError(
    'seal.slot-unfit',
    'A slot name has 1 to 32 lower-case letters, digits and dashes, and begins with no dash',
  );
}

export function encodeLayout(layout: SealLayout): Uint8Array {
  if (layout.slots.length > SLOTS_MAX) {
    throw new StrongroomError('seal.slot-unfit', `A seal has at most ${SLOTS_MAX} slots`);
  }
  return utf8Bytes(JSON.stringify({ format: 1, ...layout }));
}

/** @throws StrongroomError `seal.envelope-corrupt` */
export function decodeLayout(bytes: Uint8Array): SealLayout {
  let value: unknown;
  try {
    value = JSON.parse(utf8Text(bytes));
  } catch (cause) {
    throw corrupt('(all)', 'the layout record is damaged', cause);
  }
  if (!isLayout(value)) throw corrupt('(all)', 'the layout record is malformed');
  return value;
}

function isLayout(value: unknown): value is SealLayout {
  if (typeof value !== 'object' || value === null) return false;
  const layout = value as Partial<SealLayout> & { readonly format?: unknown };
  return (
    layout.format === 1 &&
    typeof layout.clusterId === 'string' &&
    typeof layout.rootId === 'string' &&
    Number.isSafeInteger(layout.rootGeneration) &&
    Number.isSafeInteger(layout.revision) &&
    Array.isArray(layout.slots) &&
    layout.slots.length <= SLOTS_MAX &&
    layout.slots.every(
      (slot: { readonly name?: unknown; readonly kind?: unknown }) =>
        typeof slot.name === 'string' &&
        (slot.kind === 'pkcs11' || slot.kind === 'shamir' || slot.kind === 'dev'),
    )
  );
}

/** Writes if nothing of `expected` has changed. @throws StrongroomError `seal.changed-meanwhile` */
export async function writeUnchanged(
  records: SealRecords,
  changes: ReadonlyMap<string, Uint8Array | undefined>,
  expected: ReadonlyMap<string, Uint8Array | undefined>,
): Promise<void> {
  try {
    await records.write(changes, expected);
  } catch (cause) {
    if (!hasCode(cause, 'store.conflict')) throw cause;
    throw changedMeanwhile(cause);
  }
}

export function changedMeanwhile(cause?: unknown): StrongroomError {
  return new StrongroomError(
    'seal.changed-meanwhile',
    'The seal was changed by somebody else at the same time: look at its status and try again',
    { cause },
  );
}
