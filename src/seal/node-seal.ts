import { hasCode, KeyedMutex, SecretBytes, StrongroomError, utf8Bytes } from '../lib/index.ts';
import type { Counter, Gauge } from '../telemetry/index.ts';
import { Caretaker } from './caretaker.ts';
import {
  addSlot,
  dropSpentCatchUps,
  initializeSeal,
  NO_SHARES,
  removeSlot,
  requireSlot,
  rotateKek,
  rotateRoot,
  type SealParts,
} from './changes.ts';
import { openEnvelope } from './envelope.ts';
import {
  LAYOUT_RECORD,
  MANUAL_RECORD,
  pinRecord,
  type SealLayout,
  slotRecord,
  writeUnchanged,
} from './records.ts';
import { catchUp, currentRoot, type Root, readEnvelope, readLayout } from './root.ts';
import type {
  AlongWithRoot,
  Seal,
  SealOptions,
  SealState,
  SealStatus,
  ShareCounts,
  UnsealOutcome,
} from './seal.ts';
import { ShareCollector } from './share-collector.ts';
import type { SlotConfig } from './slot-config.ts';
import { SlotSet } from './slot-set.ts';
import { sealAnewForShares, shareSetOf } from './slots/shamir-slot.ts';
import { describeSeal } from './status.ts';

/** An HSM that is well opens a slot in less; one that is silent is given up after half a minute only. */
const SILENT_MS = 3_000;

/** A seal over this node's slots and the cluster's records. */
export function createSeal(options: SealOptions): Seal {
  return new NodeSeal(options);
}

type Opened = (root: SecretBytes, rootId: string) => void;
type Closed = (reason: string) => void;

class NodeSeal implements Seal {
  readonly #options: SealOptions;
  readonly #parts: SealParts;
  readonly #slots: SlotSet;
  readonly #shares: ShareCollector;
  readonly #caretaker: Caretaker;
  readonly #mutex = new KeyedMutex();
  readonly #opened = new Set<Opened>();
  readonly #closed = new Set<Closed>();
  readonly #unsealedGauge: Gauge;
  readonly #readyGauge: Gauge;
  readonly #outcomes: Counter;
  readonly #stopWatching: () => void;
  /** The only place where the root lives; state changes go through `#adopt` and `#close`. */
  #root: Root | undefined;
  #seen: Uint8Array | undefined;
  #isByHand: boolean;
  #stopped = false;

  constructor(options: SealOptions) {
    this.#options = options;
    const { clusterId, records, random, log, metrics, clock } = options;
    this.#slots = new SlotSet(options);
    this.#parts = { clusterId, records, random, log, slots: this.#slots };
    this.#shares = new ShareCollector(clock);
    this.#caretaker = new Caretaker(clock, random, log, () => this.#round());
    this.#unsealedGauge = metrics.gauge({
      name: 'strongroom_seal_unsealed_ratio',
      help: '1 while this node holds the root key, else 0.',
    });
    this.#readyGauge = metrics.gauge({
      name: 'strongroom_seal_restart_ready_ratio',
      help: '1 when this node proved lately that it could unseal after a restart, else 0.',
    });
    this.#outcomes = metrics.counter({
      name: 'strongroom_seal_unseal_tries_total',
      help: 'Tries to unseal, by how they ended.',
      labels: ['outcome'],
    });
    this.#seen = records.read(LAYOUT_RECORD);
    this.#isByHand = records.read(MANUAL_RECORD) !== undefined;
    this.#stopWatching = records.onChange(() => this.#recordsChanged());
  }

  state(): SealState {
    // Asked for every request, so the common answer costs nothing.
    return this.#root === undefined ? this.status().state : 'unsealed';
  }

  status(): SealStatus {
    return describeSeal({
      options: this.#options,
      slots: this.#slots,
      unsealed: this.#root !== undefined,
      sharesGiven: this.#shares.given,
      waiting: this.#caretaker.waiting(),
    });
  }

  start(): void {
    this.#caretaker.start();
  }

  async initialize(
    counts: ShareCounts,
    along: AlongWithRoot = () => new Map(),
  ): Promise<{ readonly root: SecretBytes; readonly shares: readonly string[] }> {
    return this.#alone(async () => {
      if (this.#options.records.read(LAYOUT_RECORD) !== undefined) throw alreadyInitialized();
      try {
        const made = await initializeSeal(this.#parts, this.#options.slots, counts, along);
        // The caller's copy is taken first: another node may seal by hand at any moment.
        const root = SecretBytes.copy(made.root.secret.reveal());
        await this.#slots.prove(this.#layout(), made.root);
        this.#adopt(made.root);
        return { root, shares: made.shares };
      } catch (error) {
        throw hasCode(error, 'seal.changed-meanwhile') ? alreadyInitialized() : error;
      }
    });
  }

  async unseal(): Promise<UnsealOutcome> {
    return this.#alone(async () => {
      if (this.#root !== undefined) return { kind: 'unsealed', rootId: this.#root.id };
      const outcome = await this.#unsealAlone();
      this.#outcomes.add(1, { outcome: outcome.kind });
      return outcome;
    });
  }

  async giveShare(share: string): Promise<UnsealOutcome> {
    // Not behind the slots' tries: people with shares are there because a device is not.
    return this.#mutex.run('shares', async () => {
      const layout = this.#layout();
      const envelopes = layout.slots
        .filter((slot) => slot.kind === 'shamir')
        .map(({ name }) => readEnvelope(this.#options.records, layout, name, 'shamir'));
      if (envelopes.length === 0) {
        throw new StrongroomError(
          'seal.slot-unknown',
          'This cluster has no shamir slot, so no share unseals it',
        );
      }
      if (this.#root !== undefined) return { kind: 'unsealed', rootId: this.#root.id };
      const sets = envelopes.map(shareSetOf);
      using secret = await this.#shares.give(share, sets);
      if (secret === undefined) return this.#sharesNeeded();
      for (const envelope of envelopes) {
        const root = this.#tryShares(layout, envelope, secret);
        if (root === undefined) continue;
        await this.#liftWith(layout, envelope, secret, root);
        this.#adopt(root);
        return { kind: 'unsealed', rootId: root.id };
      }
      throw new StrongroomError(
        'seal.envelope-corrupt',
        'The shares are right, but the envelope that they unseal was changed: unseal by another slot, or restore the records of the seal',
      );
    });
  }

  resetShares(): void {
    this.#shares.reset();
  }

  async sealByHand(): Promise<void> {
    const at = utf8Bytes(
      JSON.stringify({ atMs: this.#options.clock.wallMs(), node: this.#options.nodeId }),
    );
    this.#layout();
    await this.#options.records.write(new Map([[MANUAL_RECORD, at]]));
    this.#recordsChanged();
  }

  async lift(): Promise<void> {
    await this.#options.records.write(new Map([[MANUAL_RECORD, undefined]]));
    this.#caretaker.kick();
  }

  async addSlot(
    config: SlotConfig,
    counts: ShareCounts = NO_SHARES,
  ): Promise<{ readonly shares: readonly string[] }> {
    return this.#alone(async () => {
      const root = this.#requireRoot();
      this.#slots.add(config);
      const shares = await addSlot(this.#parts, this.#layout(), root, config, counts);
      await this.#slots.prove(this.#layout(), root);
      return { shares };
    });
  }

  async removeSlot(name: string): Promise<void> {
    return this.#alone(async () => {
      const root = this.#requireRoot();
      // Looked at now, not half a minute ago: what stays must open.
      await this.#slots.prove(this.#layout(), root);
      await removeSlot(this.#parts, this.#layout(), name);
      this.#slots.forget(name);
    });
  }

  async rotateRoot(options: {
    readonly reseal: AlongWithRoot;
    readonly compromise?: boolean;
  }): Promise<{ readonly rootId: string; readonly dropped: readonly string[] }> {
    return this.#alone(async () => {
      const { reseal, compromise = false } = options;
      const before = this.#requireRoot();
      const rotated = await rotateRoot(this.#parts, this.#layout(), before, {
        reseal,
        compromise,
      });
      this.#adopt(rotated.root);
      await this.#slots.prove(this.#layout(), rotated.root);
      return { rootId: rotated.root.id, dropped: rotated.dropped };
    });
  }

  async rotateKek(
    slot: string,
    counts: ShareCounts = NO_SHARES,
  ): Promise<{ readonly fingerprint: string; readonly shares: readonly string[] }> {
    return this.#alone(async () => {
      const root = this.#requireRoot();
      const rotated = await rotateKek(this.#parts, this.#layout(), root, slot, counts);
      await this.#slots.prove(this.#layout(), root);
      return rotated;
    });
  }

  async prove(): Promise<void> {
    return this.#alone(async () => {
      const layout = this.#layout();
      const root = this.#requireRoot();
      await this.#slots.prove(layout, root);
      await dropSpentCatchUps(this.#parts, layout).catch((error: unknown) => {
        if (!hasCode(error, 'seal.changed-meanwhile')) throw error;
      });
      this.#readyGauge.set(this.#slots.isProven(layout) ? 1 : 0);
    });
  }

  async forgetRejectedPins(slot: string): Promise<void> {
    requireSlot(this.#layout(), slot);
    await this.#options.records.write(new Map([[pinRecord(slot), undefined]]));
    this.#caretaker.kick();
  }

  onUnsealed(callback: Opened): () => void {
    this.#opened.add(callback);
    if (this.#root !== undefined) callback(this.#root.secret, this.#root.id);
    return () => this.#opened.delete(callback);
  }

  onSealed(callback: Closed): () => void {
    this.#closed.add(callback);
    return () => this.#closed.delete(callback);
  }

  keepRoot(): void {
    if (this.#root !== undefined) this.#options.kept?.keep(this.#root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#stopWatching();
    this.#shares[Symbol.dispose]();
    this.#close('the node stops');
    // The agents first: killing them ends what the caretaker may be waiting for.
    await this.#slots[Symbol.asyncDispose]();
    await this.#caretaker[Symbol.asyncDispose]();
  }

  /** One round of the caretaker. True when there is nothing left to be tried soon. */
  async #round(): Promise<'settled' | 'try-again'> {
    if (this.#root !== undefined) {
      await this.#follow();
      await this.prove();
      return 'settled';
    }
    const { clock } = this.#options;
    const waits = (reason: string) => this.#options.log.info({ reason }, 'Waiting to unseal');
    const silent = clock.after(SILENT_MS, () => {
      if (this.#root === undefined && !this.#stopped) waits(`no answer for ${SILENT_MS / 1000} s`);
    });
    const outcome = await this.unseal().finally(() => silent.cancel());
    if (outcome.kind === 'waiting') waits(outcome.reason);
    return outcome.kind === 'waiting' ? 'try-again' : 'settled';
  }

  async #unsealAlone(): Promise<UnsealOutcome> {
    const { records } = this.#options;
    if (records.read(LAYOUT_RECORD) === undefined) return { kind: 'uninitialized' };
    const { kept } = this.#options;
    if (records.read(MANUAL_RECORD) !== undefined) {
      kept?.[Symbol.dispose]();
      return { kind: 'sealed-by-hand' };
    }
    const layout = this.#layout();
    const former = kept?.take(records, layout);
    if (former !== undefined) {
      this.#adopt(former);
      return { kind: 'unsealed', rootId: former.id };
    }
    if (this.#slots.reachable(layout).length === 0) return this.#sharesNeeded();
    const root = await this.#slots.openFirst(layout);
    const since = this.#rootNow();
    if (since !== undefined) {
      root?.secret[Symbol.dispose]();
      return { kind: 'unsealed', rootId: since.id };
    }
    // Both may have changed while the device thought about it.
    const now = this.#layout();
    const stillWanted = records.read(MANUAL_RECORD) === undefined && !this.#stopped;
    if (root !== undefined && root.id === now.rootId && stillWanted) {
      this.#adopt(root);
      return { kind: 'unsealed', rootId: root.id };
    }
    root?.secret[Symbol.dispose]();
    return { kind: 'waiting', reason: this.status().reason };
  }

  #tryShares(
    layout: SealLayout,
    envelope: ReturnType<typeof readEnvelope>,
    secret: SecretBytes,
  ): Root | undefined {
    try {
      return currentRoot(this.#options.records, layout, envelope, openEnvelope(envelope, secret));
    } catch (error) {
      if (hasCode(error, 'seal.envelope-corrupt')) return undefined;
      throw error;
    }
  }

  /** Enough people have agreed: what was sealed by hand is lifted, what lay behind is sealed anew. */
  async #liftWith(
    layout: SealLayout,
    envelope: ReturnType<typeof readEnvelope>,
    secret: SecretBytes,
    root: Root,
  ): Promise<void> {
    const { records, random } = this.#options;
    const changes = new Map<string, Uint8Array | undefined>();
    if (records.read(MANUAL_RECORD) !== undefined) changes.set(MANUAL_RECORD, undefined);
    if (envelope.context.rootGeneration < layout.rootGeneration) {
      const anew = sealAnewForShares(envelope, secret, root, random);
      changes.set(slotRecord(envelope.context.slot), anew);
    }
    if (changes.size === 0) return;
    const expected = new Map([[LAYOUT_RECORD, records.read(LAYOUT_RECORD)]]);
    await writeUnchanged(records, changes, expected);
  }

  #recordsChanged(): void {
    const { records, log } = this.#options;
    if (this.#stopped) return;
    const wasByHand = this.#isByHand;
    this.#isByHand = records.read(MANUAL_RECORD) !== undefined;
    if (this.#root !== undefined && this.#isByHand) {
      log.warn({}, 'Sealed by hand');
      this.#close('it was sealed by hand');
      this.#slots.rest();
      return;
    }
    // Lifted, here or on another node: now every node unseals itself.
    if (wasByHand && !this.#isByHand) this.#caretaker.kick();
    const layout = records.read(LAYOUT_RECORD);
    const changed = layout !== undefined && !sameBytes(layout, this.#seen);
    this.#seen = layout;
    if (changed) this.#caretaker.kick();
  }

  /** Goes on to the root that another node rotated to. */
  async #follow(): Promise<void> {
    await this.#alone(async () => {
      const { records, log } = this.#options;
      const layout = this.#layout();
      const root = this.#root;
      if (root === undefined || root.id === layout.rootId) return;
      if (layout.rootGeneration <= root.generation) {
        log.error(
          { held: root.generation, found: layout.rootGeneration },
          'The records of the seal were rolled back: they name an older root than this node holds',
        );
        return;
      }
      const next = catchUp(records, layout, root) ?? (await this.#slots.openFirst(layout));
      if (next === undefined || next.id !== layout.rootId) {
        next?.secret[Symbol.dispose]();
        log.error({}, 'The root was rotated, and no slot opens the new one here');
        return;
      }
      this.#adopt(next);
    });
  }

  #adopt(root: Root): void {
    const before = this.#root;
    this.#root = root;
    this.#shares.reset();
    this.#unsealedGauge.set(1);
    this.#seen = this.#options.records.read(LAYOUT_RECORD);
    this.#options.log.info({ rootId: root.id, generation: root.generation }, 'Unsealed');
    for (const callback of this.#opened) callback(root.secret, root.id);
    if (before !== root) before?.secret[Symbol.dispose]();
    this.#caretaker.settled();
  }

  #close(reason: string): void {
    const root = this.#root;
    if (root === undefined) return;
    for (const callback of this.#closed) callback(reason);
    this.#root = undefined;
    root.secret[Symbol.dispose]();
    this.#unsealedGauge.set(0);
    this.#readyGauge.set(0);
  }

  #layout(): SealLayout {
    return readLayout(this.#options.records, this.#options.clusterId);
  }

  #sharesNeeded(): UnsealOutcome {
    const { sharesNeeded: needed, sharesGiven: given, reason } = this.status();
    return needed === 0 ? { kind: 'waiting', reason } : { kind: 'shares-needed', needed, given };
  }

  /** Read afresh: it may have come or gone while something was awaited. */
  #rootNow(): Root | undefined {
    return this.#root;
  }

  #requireRoot(): Root {
    if (this.#root !== undefined) return this.#root;
    throw new StrongroomError('seal.sealed', 'This node is sealed: unseal it, or ask another one');
  }

  /** One change, or one try, at a time on this node; between nodes the records decide. */
  #alone<T>(task: () => Promise<T>): Promise<T> {
    return this.#mutex.run('seal', task);
  }
}

function alreadyInitialized(): StrongroomError {
  return new StrongroomError(
    'seal.already-initialized',
    'This cluster has a root key already, and gets no other: unseal it instead',
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}
