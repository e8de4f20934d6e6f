import { type Random, SecretBytes, StrongroomError, utf8Bytes } from '../lib/index.ts';
import {
  corrupt,
  decodeEnvelope,
  derive,
  type Envelope,
  type EnvelopeContext,
  encodeEnvelope,
  openEnvelope,
  ROOT_BYTES,
  rootIdOf,
  sealEnvelope,
  WRAPPING_SECRET_BYTES,
} from './envelope.ts';
import {
  catchUpRecord,
  decodeLayout,
  LAYOUT_RECORD,
  type SealLayout,
  type SealRecords,
  type SlotKind,
  slotRecord,
} from './records.ts';
import type { KekFacts, SlotKey } from './slots/slot-key.ts';

const CATCH_UP_INFO = utf8Bytes('strongroom/catch-up/v1');
const ROOT_INFO = utf8Bytes('strongroom/root/v1');
/** A slot may lie this many root rotations behind. */
const CATCH_UPS_MAX = 64;

/** A root with what names it. */
export interface Root {
  readonly secret: SecretBytes;
  readonly id: string;
  readonly generation: number;
}

/**
 * A fresh root from the node's chance and that of every HSM: as good as the best of them.
 *
 * @param absent whether an HSM that gives nothing is passed over, or stops the ceremony.
 */
export async function makeRoot(
  random: Random,
  keys: readonly SlotKey[],
  generation: number,
  absent: 'skip' | 'require',
): Promise<Root> {
  using own = SecretBytes.take(random.bytes(ROOT_BYTES));
  using mixed = SecretBytes.take(new Uint8Array(ROOT_BYTES * (1 + keys.length)));
  mixed.reveal().set(own.reveal());
  for (const [at, key] of keys.entries()) {
    const theirs = await key.randomBytes(ROOT_BYTES).catch((error: unknown) => {
      if (absent === 'require') throw error;
      return undefined;
    });
    if (theirs === undefined) continue;
    mixed.reveal().set(theirs, ROOT_BYTES * (1 + at));
    theirs.fill(0);
  }
  const secret = SecretBytes.take(derive(mixed.reveal(), new Uint8Array(0), ROOT_INFO, ROOT_BYTES));
  return { secret, id: rootIdOf(secret), generation };
}

/** @throws StrongroomError `seal.uninitialized`, or `seal.envelope-corrupt` for a bad record. */
export function readLayout(records: SealRecords, clusterId: string): SealLayout {
  const bytes = records.read(LAYOUT_RECORD);
  if (bytes === undefined) {
    throw new StrongroomError(
      'seal.uninitialized',
      'This cluster has no root key yet: initialize it, once, with `strongroom operator init`',
    );
  }
  const layout = decodeLayout(bytes);
  if (layout.clusterId === clusterId) return layout;
  throw corrupt('(all)', 'the layout is of another cluster');
}

/** The envelope of a slot, checked to be in its own place. @throws StrongroomError */
export function readEnvelope(
  records: SealRecords,
  layout: SealLayout,
  slot: string,
  kind: SlotKind,
): Envelope {
  const bytes = records.read(slotRecord(slot));
  if (bytes === undefined) throw corrupt(slot, 'it is missing');
  const envelope = decodeEnvelope(bytes, slot);
  const { context } = envelope;
  if (context.slot !== slot || context.kind !== kind) {
    throw corrupt(slot, 'it was moved here from another slot');
  }
  if (context.clusterId !== layout.clusterId) throw corrupt(slot, 'it is of another cluster');
  if (context.rootGeneration > layout.rootGeneration) {
    throw corrupt(slot, 'it is newer than the layout: one of the two was rolled back');
  }
  return envelope;
}

/** Seals the root for a slot that wraps by itself, and opens it again before anybody relies on it. */
export async function sealForKey(
  clusterId: string,
  key: SlotKey,
  kek: KekFacts,
  root: Root,
  random: Random,
): Promise<Uint8Array> {
  using secret = SecretBytes.take(random.bytes(WRAPPING_SECRET_BYTES));
  const context: EnvelopeContext = {
    ...kek,
    clusterId,
    slot: key.name,
    kind: key.kind,
    rootGeneration: root.generation,
    rootId: root.id,
  };
  const wrapped = await key.wrap(context, secret);
  const envelope = sealEnvelope(context, wrapped, secret, root.secret, random);
  using unwrapped = await key.unwrap(envelope);
  using _opened = openEnvelope(envelope, unwrapped);
  return encodeEnvelope(envelope);
}

/** Opens a slot's envelope and, when it lies behind, goes on to the current root. */
export async function openSlot(
  records: SealRecords,
  layout: SealLayout,
  key: SlotKey,
): Promise<{ readonly root: Root; readonly behind: boolean; readonly kek: KekFacts }> {
  const envelope = readEnvelope(records, layout, key.name, key.kind);
  using secret = await key.unwrap(envelope);
  const root = currentRoot(records, layout, envelope, openEnvelope(envelope, secret));
  const behind = envelope.context.rootGeneration < layout.rootGeneration;
  return { root, behind, kek: envelope.context };
}

/**
 * Follows the catch-up records from the root that an envelope held to the current one. Takes
 * ownership of `opened`. @throws StrongroomError `seal.root-mismatch`
 */
export function currentRoot(
  records: SealRecords,
  layout: SealLayout,
  envelope: Envelope,
  opened: SecretBytes,
): Root {
  const { slot, rootGeneration } = envelope.context;
  let root: Root = { secret: opened, id: envelope.context.rootId, generation: rootGeneration };
  while (root.generation < layout.rootGeneration) {
    const next = followCatchUp(records, layout.clusterId, root);
    root.secret[Symbol.dispose]();
    if (next === undefined) throw mismatch(slot, layout, root);
    root = next;
  }
  if (root.id === layout.rootId) return root;
  root.secret[Symbol.dispose]();
  throw mismatch(slot, layout, root);
}

/** The next root, sealed under the one before; undefined when there is no such record. */
function followCatchUp(records: SealRecords, clusterId: string, from: Root): Root | undefined {
  const generation = from.generation + 1;
  const bytes = records.read(catchUpRecord(generation));
  if (bytes === undefined) return undefined;
  const envelope = decodeEnvelope(bytes, catchUpRecord(generation));
  const { context } = envelope;
  const inPlace =
    context.kind === 'catch-up' &&
    context.clusterId === clusterId &&
    context.rootGeneration === generation &&
    context.kekLabel === from.id;
  if (!inPlace) throw corrupt(catchUpRecord(generation), 'it was moved here');
  using secret = catchUpSecret(from);
  return { secret: openEnvelope(envelope, secret), id: context.rootId, generation };
}

/** From a root that is still held to the current one; undefined when a bridge is missing. */
export function catchUp(records: SealRecords, layout: SealLayout, from: Root): Root | undefined {
  let root = from;
  while (root.generation < layout.rootGeneration) {
    const next = followCatchUp(records, layout.clusterId, root);
    if (root !== from) root.secret[Symbol.dispose]();
    if (next === undefined) return undefined;
    root = next;
  }
  return root;
}

/** Seals the new root under the old, for slots that cannot be sealed anew just now. */
export function sealCatchUp(
  clusterId: string,
  from: Root,
  to: Root,
  random: Random,
): ReadonlyMap<string, Uint8Array> {
  using secret = catchUpSecret(from);
  const name = catchUpRecord(to.generation);
  const context: EnvelopeContext = {
    clusterId,
    slot: name,
    kind: 'catch-up',
    mechanism: 'root',
    kekLabel: from.id,
    kekFingerprint: new Uint8Array(0),
    kekGeneration: from.generation,
    rootGeneration: to.generation,
    rootId: to.id,
    parameters: new Uint8Array(0),
  };
  const envelope = sealEnvelope(context, new Uint8Array(0), secret, to.secret, random);
  return new Map([[name, encodeEnvelope(envelope)]]);
}

/** Deletions of the catch-up records that no slot needs any more. */
export function spentCatchUps(
  records: SealRecords,
  layout: SealLayout,
  generationOf: (slot: string) => number,
): ReadonlyMap<string, undefined> {
  const oldest = Math.min(...layout.slots.map((slot) => generationOf(slot.name)));
  const spent = new Map<string, undefined>();
  const first = Math.max(1, layout.rootGeneration - CATCH_UPS_MAX);
  for (let generation = first; generation <= oldest; generation++) {
    const name = catchUpRecord(generation);
    if (records.read(name) !== undefined) spent.set(name, undefined);
  }
  return spent;
}

function catchUpSecret(from: Root): SecretBytes {
  return SecretBytes.take(
    derive(from.secret.reveal(), new Uint8Array(0), CATCH_UP_INFO, WRAPPING_SECRET_BYTES),
  );
}

function mismatch(slot: string, layout: SealLayout, root: Root): StrongroomError {
  return new StrongroomError(
    'seal.root-mismatch',
    `Slot "${slot}" holds root ${root.id} of generation ${root.generation}, the cluster runs on ${layout.rootId} of generation ${layout.rootGeneration}: its envelope was rolled back, or its catch-up was withdrawn; unseal by another slot`,
    { details: { slot, rootId: root.id } },
  );
}
