import type { PinGuard, TokenDeadlines } from '../hsm/index.ts';
import type { Clock, Random, SecretBytes } from '../lib/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import type { KeptRoot } from './kept-root.ts';
import type { SealRecords, SlotKind } from './records.ts';
import type { SlotConfig } from './slot-config.ts';
import type { SlotHealth } from './slot-health.ts';

export type SealState = 'uninitialized' | 'sealed' | 'waiting' | 'unsealed';

export interface SealOptions {
  /** 32 hex digits. */
  readonly clusterId: string;
  readonly nodeId: number;
  /** How this node reaches the slots; the first is tried with all others at the same time. */
  readonly slots: readonly SlotConfig[];
  readonly records: SealRecords;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Shared by everything in this process that logs in to tokens. */
  readonly pinGuard: PinGuard;
  readonly deadlines?: Partial<TokenDeadlines>;
  /** What a former seal of this process left for this one, and this one leaves for the next. */
  readonly kept?: KeptRoot;
}

/** Records to be written in the same moment, such as the keyring sealed under the new root. */
export type AlongWithRoot = (
  root: SecretBytes,
  rootId: string,
) => ReadonlyMap<string, Uint8Array | undefined>;

export interface ShareCounts {
  /** How many shares are handed out, 1 to 255; 0 without a shamir slot. */
  readonly shares: number;
  /** How many of them unseal. */
  readonly threshold: number;
}

export type UnsealOutcome =
  | { readonly kind: 'unsealed'; readonly rootId: string }
  | { readonly kind: 'uninitialized' }
  | { readonly kind: 'sealed-by-hand' }
  | { readonly kind: 'shares-needed'; readonly needed: number; readonly given: number }
  /** Every slot that opens by itself failed, each for its reason. */
  | { readonly kind: 'waiting'; readonly reason: string };

export interface SlotStatus {
  readonly name: string;
  readonly kind: SlotKind;
  readonly health: SlotHealth;
  /** Hex; empty while the envelope does not read. */
  readonly kekFingerprint: string;
  readonly kekGeneration: number;
  /** Why it is not ok, and what would help. */
  readonly reason: string;
}

export interface SealStatus {
  readonly state: SealState;
  readonly initialized: boolean;
  readonly sealed: boolean;
  /** What is waited for, or what is wrong. */
  readonly reason: string;
  readonly slots: readonly SlotStatus[];
  readonly sharesNeeded: number;
  readonly sharesGiven: number;
  readonly clusterId: string;
  readonly rootId: string;
  readonly rootGeneration: number;
  readonly manuallySealed: boolean;
  /** This node proved lately that it could unseal by itself, were it restarted now. */
  readonly restartReady: boolean;
  /** Wall time; 0 when nothing was proved yet. */
  readonly lastProofAtMs: number;
  /** Tries to unseal since the node was sealed or started. */
  readonly tries: number;
  /** Wall time of the next try; 0 when none is planned. */
  readonly nextTryAtMs: number;
}

/** How a node opens: its slots, and the root key while it is unsealed. */
export interface Seal extends AsyncDisposable {
  state(): SealState;
  status(): SealStatus;
  /**
   * Unseals as soon as a slot opens, for ever, with backoff; once unsealed, keeps proving that a
   * restart could. Ends when the seal is disposed.
   */
  start(): void;
  /**
   * Once in a cluster's life: makes the root, and an envelope of it for each configured slot.
   * @returns a copy of the root, which the caller disposes, and the shares of a shamir slot.
   * @throws StrongroomError `seal.already-initialized`, `seal.slot-unfit`, `hsm.*`
   */
  initialize(
    counts: ShareCounts,
    along?: AlongWithRoot,
  ): Promise<{ readonly root: SecretBytes; readonly shares: readonly string[] }>;
  /** One try of all slots that open by themselves. */
  unseal(): Promise<UnsealOutcome>;
  /**
   * One share; enough of them unseal this node, and lift a seal by hand.
   * @throws StrongroomError `seal.share-invalid`, `seal.share-foreign`, `seal.share-wrong`,
   *   `seal.slot-unknown` when there is no shamir slot.
   */
  giveShare(share: string): Promise<UnsealOutcome>;
  resetShares(): void;
  /** Seals every node; they stay sealed over restarts until `lift` or enough shares. */
  sealByHand(): Promise<void>;
  /** Takes back `sealByHand`, so that nodes unseal by themselves again. */
  lift(): Promise<void>;
  /** @throws StrongroomError `seal.sealed`, `seal.slot-exists`, `hsm.*` */
  addSlot(
    config: SlotConfig,
    counts?: ShareCounts,
  ): Promise<{ readonly shares: readonly string[] }>;
  /**
   * The token's key is left where it is: destroying it is a ceremony of its own.
   * @throws StrongroomError `seal.last-slot` when no other slot is proved to open.
   */
  removeSlot(name: string): Promise<void>;
  /**
   * A new root, for every slot, in one atomic write with the records of `reseal`. Slots that cannot
   * be sealed anew just now stay behind and catch up later; with `compromise` they are dropped
   * instead, because the old root must lead nowhere.
   */
  rotateRoot(options: {
    readonly reseal: AlongWithRoot;
    readonly compromise?: boolean;
  }): Promise<{ readonly rootId: string; readonly dropped: readonly string[] }>;
  /** A new key for one slot; for a shamir slot a new set of shares, and the old ones are void. */
  rotateKek(
    slot: string,
    counts?: ShareCounts,
  ): Promise<{ readonly fingerprint: string; readonly shares: readonly string[] }>;
  /** Opens every slot once, to see that it would. Mends envelopes that were damaged. */
  prove(): Promise<void>;
  /** Lets refused PINs of a slot be tried again: for the one in 256 that looks like another. */
  forgetRejectedPins(slot: string): Promise<void>;
  /**
   * Called with the root at once if it is there, and whenever it comes or changes. It is valid until
   * `onSealed` or the next call. Returns how to stop that.
   */
  onUnsealed(callback: (root: SecretBytes, rootId: string) => void): () => void;
  /** Called before the root is overwritten. */
  onSealed(callback: (reason: string) => void): () => void;
  /** Leaves the root, if it is held, for the seal that follows this one in the same process. */
  keepRoot(): void;
}
