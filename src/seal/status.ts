import { hex, StrongroomError } from '../lib/index.ts';
import { LAYOUT_RECORD, MANUAL_RECORD, type SealLayout } from './records.ts';
import { readEnvelope, readLayout } from './root.ts';
import type { SealOptions, SealStatus, SlotStatus } from './seal.ts';
import type { SlotSet } from './slot-set.ts';
import { shareSetOf } from './slots/shamir-slot.ts';

interface Facts {
  readonly options: SealOptions;
  readonly slots: SlotSet;
  readonly unsealed: boolean;
  readonly sharesGiven: number;
  readonly waiting: {
    readonly started: boolean;
    readonly tries: number;
    readonly nextTryAtMs: number;
  };
}

/** What people and monitoring see of the seal of this node. */
export function describeSeal(facts: Facts): SealStatus {
  const { options, slots, unsealed, sharesGiven, waiting } = facts;
  const { records, clusterId } = options;
  const blank = { sharesGiven, clusterId, tries: waiting.tries, nextTryAtMs: waiting.nextTryAtMs };
  const unknown = {
    ...blank,
    slots: [],
    sharesNeeded: 0,
    rootId: '',
    rootGeneration: 0,
    manuallySealed: false,
    restartReady: false,
    lastProofAtMs: 0,
    sealed: true,
  };
  if (records.read(LAYOUT_RECORD) === undefined) {
    const reason = 'the cluster has no root key yet, initialize it';
    return { ...unknown, state: 'uninitialized', initialized: false, reason };
  }
  let layout: SealLayout;
  try {
    layout = readLayout(records, clusterId);
  } catch (error) {
    return { ...unknown, state: 'sealed', initialized: true, reason: messageOf(error) };
  }
  const slotStatuses = layout.slots.map((slot) => describeSlot(options, slots, layout, slot));
  const manuallySealed = records.read(MANUAL_RECORD) !== undefined;
  const bySelf = slots.reachable(layout).length > 0 && !manuallySealed;
  const restartReady = slots.isProven(layout);
  return {
    ...blank,
    state: unsealed ? 'unsealed' : bySelf ? 'waiting' : 'sealed',
    initialized: true,
    sealed: !unsealed,
    reason: reasonOf({ unsealed, manuallySealed, bySelf, restartReady, slotStatuses }),
    slots: slotStatuses,
    sharesNeeded: sharesNeeded(options, layout),
    rootId: layout.rootId,
    rootGeneration: layout.rootGeneration,
    manuallySealed,
    restartReady,
    lastProofAtMs: slots.lastProofAtMs(),
  };
}

function describeSlot(
  options: SealOptions,
  slots: SlotSet,
  layout: SealLayout,
  slot: SealLayout['slots'][number],
): SlotStatus {
  const { name, kind } = slot;
  const finding = slots.finding(name);
  let kekFingerprint = '';
  let kekGeneration = 0;
  try {
    const { context } = readEnvelope(options.records, layout, name, kind);
    kekFingerprint = hex(context.kekFingerprint);
    kekGeneration = context.kekGeneration;
    if (kind === 'shamir') {
      const { id, threshold, digests } = shareSetOf(
        readEnvelope(options.records, layout, name, kind),
      );
      const reason = `${threshold} of ${digests.length} shares of set ${id} unseal it`;
      const behind = context.rootGeneration < layout.rootGeneration;
      const health = behind ? 'stale' : 'ok';
      return { name, kind, health, kekFingerprint, kekGeneration, reason };
    }
  } catch (error) {
    const reason = messageOf(error);
    return { name, kind, health: 'tampered', kekFingerprint, kekGeneration, reason };
  }
  if (slots.key(name) === undefined) {
    const reason = 'this node does not know how to reach it: add it to seal.slots';
    return { name, kind, health: 'unknown', kekFingerprint, kekGeneration, reason };
  }
  const { health, reason } = finding;
  return { name, kind, health, kekFingerprint, kekGeneration, reason };
}

function sharesNeeded(options: SealOptions, layout: SealLayout): number {
  const slot = layout.slots.find((each) => each.kind === 'shamir');
  if (slot === undefined) return 0;
  try {
    return shareSetOf(readEnvelope(options.records, layout, slot.name, 'shamir')).threshold;
  } catch {
    // Said by the slot's own status.
    return 0;
  }
}

function reasonOf(facts: {
  readonly unsealed: boolean;
  readonly manuallySealed: boolean;
  readonly bySelf: boolean;
  readonly restartReady: boolean;
  readonly slotStatuses: readonly SlotStatus[];
}): string {
  const troubles = facts.slotStatuses
    .filter((slot) => slot.kind !== 'shamir' && slot.health !== 'ok')
    .map((slot) => `slot ${slot.name} (${slot.health}): ${slot.reason}`)
    .join('; ');
  if (facts.unsealed) {
    if (facts.restartReady) return '';
    return troubles === ''
      ? 'a restart of this node will need shares'
      : `a restart of this node would not unseal: ${troubles}`;
  }
  if (facts.manuallySealed) return 'it was sealed by hand, and stays so until that is lifted';
  if (!facts.bySelf) return `shares are needed${troubles === '' ? '' : `; ${troubles}`}`;
  return troubles === '' ? 'the first try is under way' : `waiting for ${troubles}`;
}

function messageOf(error: unknown): string {
  return error instanceof StrongroomError ? error.message : String(error);
}
