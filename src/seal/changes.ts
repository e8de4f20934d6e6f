import { hex, type Random, StrongroomError, unreachable } from '../lib/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { decodeEnvelope } from './envelope.ts';
import {
  changedMeanwhile,
  decodeLayout,
  encodeLayout,
  LAYOUT_RECORD,
  requireSlotName,
  type SealLayout,
  type SealRecords,
  slotRecord,
  writeUnchanged,
} from './records.ts';
import {
  makeRoot,
  type Root,
  readEnvelope,
  sealCatchUp,
  sealForKey,
  spentCatchUps,
} from './root.ts';
import type { AlongWithRoot, ShareCounts } from './seal.ts';
import type { SlotConfig } from './slot-config.ts';
import type { SlotSet } from './slot-set.ts';
import { sealForShares } from './slots/shamir-slot.ts';

/** What the ceremonies work on. */
export interface SealParts {
  readonly clusterId: string;
  readonly records: SealRecords;
  readonly random: Random;
  readonly log: Logger;
  readonly slots: SlotSet;
}

/** For a slot that people have no part in. */
export const NO_SHARES: ShareCounts = { shares: 0, threshold: 0 };

type Changes = Map<string, Uint8Array | undefined>;

/** Makes the first root and an envelope for every slot; nothing is there unless all is. */
export async function initializeSeal(
  parts: SealParts,
  configs: readonly SlotConfig[],
  counts: ShareCounts,
  along: AlongWithRoot,
): Promise<{ readonly root: Root; readonly shares: readonly string[] }> {
  requireFitSlots(configs, counts);
  const keys = configs.flatMap((config) => parts.slots.key(config.name) ?? []);
  const root = await makeRoot(parts.random, keys, 1, 'require');
  const changes: Changes = new Map();
  let shares: readonly string[] = [];
  for (const config of configs) {
    const own = config.kind === 'shamir' ? counts : NO_SHARES;
    const sealed = await sealSlot(parts, config, 1, root, own);
    changes.set(slotRecord(config.name), sealed.envelope);
    shares = [...shares, ...sealed.shares];
  }
  const layout: SealLayout = {
    clusterId: parts.clusterId,
    rootId: root.id,
    rootGeneration: root.generation,
    revision: 1,
    slots: configs.map(({ name, kind }) => ({ name, kind })),
  };
  changes.set(LAYOUT_RECORD, encodeLayout(layout));
  for (const [name, bytes] of along(root.secret, root.id)) changes.set(name, bytes);
  await writeUnchanged(parts.records, changes, new Map([[LAYOUT_RECORD, undefined]]));
  return { root, shares };
}

export async function addSlot(
  parts: SealParts,
  layout: SealLayout,
  root: Root,
  config: SlotConfig,
  counts: ShareCounts,
): Promise<readonly string[]> {
  requireSlotName(config.name);
  if (layout.slots.some((slot) => slot.name === config.name)) {
    throw new StrongroomError(
      'seal.slot-exists',
      `There is a slot "${config.name}" already: choose another name, or rotate its key`,
      { details: { slot: config.name } },
    );
  }
  const { envelope, shares } = await sealSlot(parts, config, 1, root, counts);
  const after: SealLayout = {
    ...layout,
    revision: layout.revision + 1,
    slots: [...layout.slots, { name: config.name, kind: config.kind }],
  };
  await writeLayout(parts, after, new Map([[slotRecord(config.name), envelope]]), []);
  return shares;
}

/** Refuses to leave the cluster without a slot that opened on this node a short while ago. */
export async function removeSlot(
  parts: SealParts,
  layout: SealLayout,
  name: string,
): Promise<void> {
  requireSlot(layout, name);
  const rest = layout.slots.filter((slot) => slot.name !== name);
  const opens = parts.slots.isProven(layout, name) || rest.some((slot) => slot.kind === 'shamir');
  if (!opens) {
    throw new StrongroomError(
      'seal.last-slot',
      rest.length === 0
        ? `Cannot remove "${name}", the only slot: without it nothing would unseal again; add another one first`
        : `Cannot remove slot "${name}": no other slot opened on this node lately, so nothing might unseal again; mend or add one first`,
      { details: { slot: name } },
    );
  }
  const after: SealLayout = { ...layout, revision: layout.revision + 1, slots: rest };
  await writeLayout(parts, after, new Map([[slotRecord(name), undefined]]), [name]);
}

/** A new key for a slot; the old one stays in the token until a ceremony destroys it. */
export async function rotateKek(
  parts: SealParts,
  layout: SealLayout,
  root: Root,
  name: string,
  counts: ShareCounts,
): Promise<{ readonly fingerprint: string; readonly shares: readonly string[] }> {
  const { kind } = requireSlot(layout, name);
  const generation = generationOf(parts, name) + 1;
  const config = { kind, name };
  const { envelope, shares } = await sealSlot(parts, config, generation, root, counts);
  const after: SealLayout = { ...layout, revision: layout.revision + 1 };
  await writeLayout(parts, after, new Map([[slotRecord(name), envelope]]), [name]);
  const { context } = decodeEnvelope(envelope, name);
  return { fingerprint: hex(context.kekFingerprint), shares };
}

/** A new root for all slots, in one write with what else has to be sealed under it. */
export async function rotateRoot(
  parts: SealParts,
  layout: SealLayout,
  root: Root,
  options: { readonly reseal: AlongWithRoot; readonly compromise: boolean },
): Promise<{ readonly root: Root; readonly dropped: readonly string[] }> {
  const { clusterId, records, random, log, slots } = parts;
  const next = await makeRoot(random, slots.reachable(layout), root.generation + 1, 'skip');
  const changes: Changes = new Map();
  const behind: string[] = [];
  for (const { name, kind } of layout.slots) {
    const key = slots.key(name);
    try {
      if (key === undefined || kind === 'shamir') throw cannotNow(name);
      const { context } = readEnvelope(records, layout, name, kind);
      changes.set(slotRecord(name), await sealForKey(clusterId, key, context, next, random));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ slot: name, reason }, 'This slot is not sealed under the new root just now');
      behind.push(name);
    }
  }
  const dropped = options.compromise ? behind : [];
  const kept = layout.slots.filter((slot) => !dropped.includes(slot.name));
  if (kept.length === 0) {
    next.secret[Symbol.dispose]();
    throw new StrongroomError(
      'seal.last-slot',
      'Cannot rotate a compromised root: no slot can be sealed under the new one just now, and shares of the old one must not lead to it; add a slot first',
    );
  }
  for (const name of dropped) changes.set(slotRecord(name), undefined);
  if (behind.length > dropped.length) {
    for (const [name, bytes] of sealCatchUp(clusterId, root, next, random)) {
      changes.set(name, bytes);
    }
  }
  for (const [name, bytes] of options.reseal(next.secret, next.id)) changes.set(name, bytes);
  const after: SealLayout = {
    ...layout,
    revision: layout.revision + 1,
    rootId: next.id,
    rootGeneration: next.generation,
    slots: kept,
  };
  try {
    await writeLayout(
      parts,
      after,
      changes,
      layout.slots.map((slot) => slot.name),
    );
  } catch (error) {
    next.secret[Symbol.dispose]();
    throw error;
  }
  return { root: next, dropped };
}

/** Takes away the bridges from older roots that no slot needs any more. */
export async function dropSpentCatchUps(parts: SealParts, layout: SealLayout): Promise<void> {
  const spent = spentCatchUps(parts.records, layout, (name) => {
    const bytes = parts.records.read(slotRecord(name));
    return bytes === undefined ? 0 : decodeEnvelope(bytes, name).context.rootGeneration;
  });
  if (spent.size === 0) return;
  const expected = new Map([[LAYOUT_RECORD, parts.records.read(LAYOUT_RECORD)]]);
  await writeUnchanged(parts.records, spent, expected);
}

async function sealSlot(
  parts: SealParts,
  config: Pick<SlotConfig, 'kind' | 'name'>,
  generation: number,
  root: Root,
  counts: ShareCounts,
): Promise<{ readonly envelope: Uint8Array; readonly shares: readonly string[] }> {
  const { clusterId, random } = parts;
  switch (config.kind) {
    case 'shamir':
      return sealForShares({ clusterId, slot: config.name, generation, counts, root, random });
    case 'pkcs11':
    case 'dev': {
      if (counts.shares > 0) {
        throw new StrongroomError(
          'seal.slot-unfit',
          `Cannot make shares for slot "${config.name}": only shamir slots have them, this one is of kind ${config.kind}`,
        );
      }
      const key = parts.slots.requireKey(config.name);
      const kek = await key.createKek(generation);
      return { envelope: await sealForKey(clusterId, key, kek, root, random), shares: [] };
    }
    default:
      return unreachable(config.kind);
  }
}

/** Writes a layout with what belongs to it, unless the layout or one of `slots` changed meanwhile. */
async function writeLayout(
  parts: SealParts,
  after: SealLayout,
  changes: ReadonlyMap<string, Uint8Array | undefined>,
  slots: readonly string[],
): Promise<void> {
  const { records } = parts;
  const before = records.read(LAYOUT_RECORD);
  if (before === undefined || decodeLayout(before).revision !== after.revision - 1) {
    throw changedMeanwhile();
  }
  const expected: Changes = new Map([[LAYOUT_RECORD, before]]);
  for (const slot of slots) expected.set(slotRecord(slot), records.read(slotRecord(slot)));
  await writeUnchanged(
    records,
    new Map([...changes, [LAYOUT_RECORD, encodeLayout(after)]]),
    expected,
  );
}

function generationOf(parts: SealParts, name: string): number {
  const bytes = parts.records.read(slotRecord(name));
  try {
    return bytes === undefined ? 0 : decodeEnvelope(bytes, name).context.kekGeneration;
  } catch {
    // A damaged envelope is one reason to rotate; keys that are there already are stepped over.
    return 0;
  }
}

/** @throws StrongroomError `seal.slot-unknown` */
export function requireSlot(layout: SealLayout, name: string): SealLayout['slots'][number] {
  const slot = layout.slots.find((candidate) => candidate.name === name);
  if (slot !== undefined) return slot;
  throw new StrongroomError(
    'seal.slot-unknown',
    `There is no slot "${name}": there are ${layout.slots.map((each) => each.name).join(', ')}`,
  );
}

function requireFitSlots(configs: readonly SlotConfig[], counts: ShareCounts): void {
  const unfit = (why: string): never => {
    throw new StrongroomError('seal.slot-unfit', `Cannot initialize the seal: ${why}`);
  };
  if (configs.length === 0) unfit('no slot is configured in seal.slots');
  for (const config of configs) requireSlotName(config.name);
  const names = new Set(configs.map((config) => config.name));
  if (names.size < configs.length) unfit('two slots have the same name');
  const shamir = configs.filter((config) => config.kind === 'shamir').length;
  if (shamir > 1) unfit('one set of shares is made, but several shamir slots are configured');
  if (shamir === 0 && counts.shares > 0) unfit('shares are asked for, but no shamir slot is there');
  if (shamir === 1 && counts.shares === 0) unfit('a shamir slot needs counts of shares');
}

function cannotNow(slot: string): StrongroomError {
  return new StrongroomError(
    'seal.slot-not-configured',
    `Slot "${slot}" needs its shares or another node`,
  );
}
