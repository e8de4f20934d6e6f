import { createPinGuard, type PinGuard } from '../../hsm/index.ts';
import { SecretBytes, StrongroomError } from '../../lib/index.ts';
import { createSeal, MANUAL_RECORD, type SealRecords } from '../../seal/index.ts';
import { quietMetrics } from '../../telemetry/index.ts';
import { KEYRING_RECORD } from '../../vault/index.ts';
import { type Admission, CA_KEY_RECORD } from '../cluster/admission.ts';
import { caKeyPlace } from '../cluster/ca-key.ts';
import { systemKey } from '../cluster/system-records.ts';
import type { Foundation } from '../foundation.ts';
import type { KeyringKeeper, Root } from '../keys/keyring-keeper.ts';
import { slotConfigOf } from '../keys/slots.ts';
import type { ForeignState } from './snapshot-keeper.ts';

/** What the seal notes of a token: above all which PINs it refused. By record name. */
type SealNotes = Map<string, Uint8Array | undefined>;

/** Takes over snapshots of other clusters, through this node's slots. One for a node's life. */
export class ForeignSeals {
  readonly #foundation: Foundation;
  readonly #keyring: KeyringKeeper;
  readonly #admission: Admission;
  readonly #pinGuard: PinGuard;
  /** By cluster, so that a second try does not give a token a PIN again that it has refused. */
  readonly #notes = new Map<string, SealNotes>();

  constructor(foundation: Foundation, keyring: KeyringKeeper, admission: Admission) {
    this.#foundation = foundation;
    this.#keyring = keyring;
    this.#admission = admission;
    this.#pinGuard = createPinGuard(foundation.random);
  }

  /**
   * Opens the seal that the snapshot carries, through the slots of the same names here or with
   * shares, and seals its keyring under this cluster's root. From then on nothing of the other
   * cluster's seal is needed: its HSM keys may go. This cluster's own CA key follows its place into
   * the other keyring.
   *
   * @returns records by name, to be written with the content.
   * @throws StrongroomError `seal.foreign-closed`
   */
  async takeOver(
    foreign: ForeignState,
    shares: readonly string[],
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const { clusterId } = foreign;
    const blob = recordsOf(foreign).read(KEYRING_RECORD);
    if (blob === undefined) throw closed(clusterId, 'it has no keyring');
    const root = await this.#openRoot(foreign, shares);
    using _key = root.key;
    const caKey = { place: caKeyPlace, plaintext: this.#admission.caKey() };
    const taken = this.#keyring.takenOver({ root, clusterId, blob }, caKey);
    caKey.plaintext.fill(0);
    return new Map([
      [KEYRING_RECORD, taken.blob],
      [CA_KEY_RECORD, taken.sealed],
    ]);
  }

  async #openRoot(foreign: ForeignState, shares: readonly string[]): Promise<Root> {
    const { config, identity, clock, random, log, askPin } = this.#foundation;
    const { clusterId } = foreign;
    const notes: SealNotes = this.#notes.get(clusterId) ?? new Map();
    this.#notes.set(clusterId, notes);
    await using seal = createSeal({
      clusterId,
      nodeId: identity.node,
      slots: config.seal.slots.map((slot) => slotConfigOf(slot, config, askPin)),
      records: recordsOf(foreign, notes),
      clock,
      random,
      log: log.child({ part: 'foreign seal' }),
      metrics: quietMetrics,
      pinGuard: this.#pinGuard,
    });
    const found: { root?: Root } = {};
    seal.onUnsealed((key, id) => {
      found.root = { key: SecretBytes.copy(key.reveal()), id };
    });
    let outcome = await seal.unseal();
    for (const share of shares) {
      if (found.root !== undefined) break;
      outcome = await seal.giveShare(share);
    }
    if (found.root !== undefined) return found.root;
    const why =
      outcome.kind === 'waiting'
        ? outcome.reason
        : outcome.kind === 'shares-needed'
          ? `${outcome.needed} shares are needed, ${outcome.given} were given`
          : `its seal is ${outcome.kind}`;
    throw closed(clusterId, why);
  }
}

/** The staged state is nobody's: what is written goes beside it. */
function recordsOf({ store }: ForeignState, notes: SealNotes = new Map()): SealRecords {
  return {
    read(name) {
      // Whoever may restore here may open it, sealed by hand or not.
      if (name === MANUAL_RECORD) return undefined;
      if (notes.has(name)) return notes.get(name);
      using view = store.view();
      return view.get(systemKey(name))?.value;
    },
    write(changes) {
      for (const [name, value] of changes) notes.set(name, value);
      return Promise.resolve();
    },
    onChange: () => () => {},
  };
}

function closed(clusterId: string, why: string): StrongroomError {
  return new StrongroomError(
    'seal.foreign-closed',
    `Cannot restore a snapshot of cluster ${clusterId}: its seal does not open here: ${why}. Give this node a slot of the same name as there (the same token and PIN), or shares with --shares-from; nothing was changed`,
  );
}
