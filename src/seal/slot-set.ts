import { defaultDeadlines } from '../hsm/index.ts';
import { StrongroomError } from '../lib/index.ts';
import type { Gauge } from '../telemetry/index.ts';
import { ClusterPinGuard } from './cluster-pin-guard.ts';
import { LAYOUT_RECORD, type SealLayout, slotRecord, writeUnchanged } from './records.ts';
import { openSlot, type Root, sealForKey } from './root.ts';
import type { SealOptions } from './seal.ts';
import type { SlotConfig } from './slot-config.ts';
import { healthOf, isMendable, type SlotFinding } from './slot-health.ts';
import { DevSlot } from './slots/dev-slot.ts';
import { Pkcs11Slot } from './slots/pkcs11-slot.ts';
import type { KekFacts, SlotKey } from './slots/slot-key.ts';

export const PROVE_EVERY_MS = 30_000;
/** A proof counts for this long: three rounds, the last of them missed. */
const PROOF_VALID_MS = 4 * PROVE_EVERY_MS;

interface Proof {
  readonly atMs: number;
  readonly wallMs: number;
  /** The key as it was when it opened: the only facts that a damaged envelope is mended from. */
  readonly kek: KekFacts;
}

/** The slots that this node can reach, and what it last saw of each. */
export class SlotSet implements AsyncDisposable {
  readonly #options: SealOptions;
  readonly #keys = new Map<string, SlotKey>();
  readonly #findings = new Map<string, SlotFinding>();
  readonly #proofs = new Map<string, Proof>();
  readonly #slotOk: Gauge;
  readonly #stopping = new AbortController();

  constructor(options: SealOptions) {
    this.#options = options;
    this.#slotOk = options.metrics.gauge({
      name: 'strongroom_seal_slot_ok_ratio',
      help: '1 when the slot last opened on this node, else 0.',
      labels: ['slot'],
    });
    for (const config of options.slots) this.add(config);
  }

  /** Takes a slot in; one of this name that is there already stays. */
  add(config: SlotConfig): void {
    if (config.kind === 'shamir' || this.#keys.has(config.name)) return;
    this.#keys.set(config.name, this.#makeKey(config));
  }

  key(name: string): SlotKey | undefined {
    return this.#keys.get(name);
  }

  /** @throws StrongroomError `seal.slot-not-configured` */
  requireKey(name: string): SlotKey {
    const key = this.#keys.get(name);
    if (key !== undefined) return key;
    throw new StrongroomError(
      'seal.slot-not-configured',
      `Node ${this.#options.nodeId} does not know how to reach slot "${name}": add it to seal.slots of its configuration, or ask a node that has it`,
      { details: { slot: name } },
    );
  }

  /** The slots of the cluster that open by themselves and that this node knows. */
  reachable(layout: SealLayout): readonly SlotKey[] {
    return layout.slots.flatMap(({ name, kind }) => {
      const key = this.#keys.get(name);
      return key?.kind === kind ? [key] : [];
    });
  }

  finding(name: string): SlotFinding {
    return this.#findings.get(name) ?? { health: 'unknown', reason: 'not tried yet' };
  }

  /** Whether a slot other than `except` opened here a short while ago. */
  isProven(layout: SealLayout, except?: string): boolean {
    const now = this.#options.clock.monotonicMs();
    return layout.slots.some(({ name }) => {
      const proof = this.#proofs.get(name);
      const { health } = this.finding(name);
      const opens = health === 'ok' || health === 'stale';
      return name !== except && opens && proof !== undefined && now - proof.atMs < PROOF_VALID_MS;
    });
  }

  /** Wall time of the last time that any slot opened; 0 for never. */
  lastProofAtMs(): number {
    return Math.max(0, ...[...this.#proofs.values()].map((proof) => proof.wallMs));
  }

  /** Logs out everywhere: a sealed node holds no login. */
  rest(): void {
    for (const key of this.#keys.values()) key.rest();
  }

  forget(name: string): void {
    this.#findings.delete(name);
    this.#proofs.delete(name);
  }

  /**
   * Tries all at the same time, so that a dead device does not hold up one that lives; the first
   * root wins. Undefined when none opened: the findings say why.
   */
  async openFirst(layout: SealLayout): Promise<Root | undefined> {
    const tries = this.reachable(layout).map(async (key) => (await this.#open(layout, key)).root);
    try {
      const first = await Promise.any(tries);
      for (const late of tries) {
        // Roots that come later are the same one; they are only proofs, and overwritten.
        late.then(
          (root) => root === first || root.secret[Symbol.dispose](),
          () => undefined,
        );
      }
      return first;
    } catch {
      return undefined;
    }
  }

  /** Opens each slot, compares, and seals anew what lags behind or was damaged. */
  async prove(layout: SealLayout, root: Root): Promise<void> {
    for (const key of this.reachable(layout)) {
      let kek: KekFacts | undefined;
      try {
        const opened = await this.#open(layout, key, () => key.rehearse());
        opened.root.secret[Symbol.dispose]();
        if (opened.behind) kek = opened.kek;
      } catch (error) {
        if (isMendable(error)) kek = this.#proofs.get(key.name)?.kek;
      }
      if (kek !== undefined) await this.#sealAnew(layout, key, kek, root);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#keys.values()].map((key) => key[Symbol.asyncDispose]()));
    this.#keys.clear();
  }

  /** @param proof what has to go well besides, for the slot to be called healthy. */
  async #open(
    layout: SealLayout,
    key: SlotKey,
    proof: () => Promise<void> = async () => {},
  ): Promise<{ readonly root: Root; readonly behind: boolean; readonly kek: KekFacts }> {
    const { clock, records } = this.#options;
    try {
      const opened = await openSlot(records, layout, key);
      const wallMs = clock.wallMs();
      this.#proofs.set(key.name, { atMs: clock.monotonicMs(), wallMs, kek: opened.kek });
      const failure = await proof().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure !== undefined) this.#failed(key, failure);
      else this.#succeeded(key, opened.behind, wallMs);
      return opened;
    } catch (error) {
      this.#failed(key, error);
      throw error;
    }
  }

  #succeeded(key: SlotKey, behind: boolean, wallMs: number): void {
    const health = behind ? 'stale' : 'ok';
    const reason = behind ? 'it opens an older root, and is being sealed anew' : '';
    this.#findings.set(key.name, { health, reason, provenAtMs: wallMs });
    this.#slotOk.set(1, { slot: key.name });
  }

  #failed(key: SlotKey, error: unknown): void {
    const { log } = this.#options;
    const health = healthOf(error);
    const reason = error instanceof Error ? error.message : String(error);
    const before = this.#findings.get(key.name);
    this.#findings.set(key.name, { ...before, health, reason });
    this.#slotOk.set(0, { slot: key.name });
    if (before?.health === health) return;
    const line = { slot: key.name, health, reason };
    if (health === 'unreachable') log.warn(line, 'A seal slot does not open');
    else log.error(line, 'A seal slot does not open, and will not by waiting');
  }

  async #sealAnew(layout: SealLayout, key: SlotKey, kek: KekFacts, root: Root): Promise<void> {
    const { clusterId, records, random, log } = this.#options;
    const name = slotRecord(key.name);
    const expected = new Map([
      [name, records.read(name)],
      [LAYOUT_RECORD, records.read(LAYOUT_RECORD)],
    ]);
    if (layout.rootId !== root.id) return;
    try {
      const envelope = await sealForKey(clusterId, key, kek, root, random);
      await writeUnchanged(records, new Map([[name, envelope]]), expected);
      log.warn({ slot: key.name }, 'The envelope of a seal slot was written anew from the root');
    } catch (cause) {
      // Another node may have done it in the same moment; the next round looks again.
      const reason = cause instanceof Error ? cause.message : String(cause);
      log.warn({ slot: key.name, reason }, 'The envelope of a seal slot was not written anew');
    }
  }

  #makeKey(config: Exclude<SlotConfig, { kind: 'shamir' }>): SlotKey {
    const { clock, random, log, metrics, deadlines, clusterId, nodeId, records, pinGuard } =
      this.#options;
    if (config.kind === 'dev') return new DevSlot(config, random, log);
    const guard = new ClusterPinGuard({
      slot: config.name,
      clusterId,
      nodeId,
      records,
      clock,
      random,
      local: pinGuard,
      loginMs: deadlines?.loginMs ?? defaultDeadlines.loginMs,
      signal: this.#stopping.signal,
    });
    const token = {
      clock,
      random,
      log,
      metrics,
      ...(deadlines === undefined ? {} : { deadlines }),
    };
    return new Pkcs11Slot(config, clusterId, token, guard);
  }
}
