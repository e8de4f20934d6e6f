import {
  addEpoch,
  addNamespaceKey,
  type Barrier,
  createBarrier,
  dropEpoch,
  type Keyring,
  newKeyring,
  openKeyring,
  type Place,
  removeNamespaceKey,
  sealKeyring,
  type Uuid,
} from '../../barrier/index.ts';
import {
  KeyedMutex,
  lengthPrefixed,
  type Random,
  type SecretBytes,
  StrongroomError,
  utf8Bytes,
} from '../../lib/index.ts';
import type { Revision } from '../../store/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { KEYRING_RECORD } from '../../vault/index.ts';
import type { SystemRecords } from '../cluster/system-records.ts';

const CONFLICTS_MAX = 20;
const WRITE_MS = 30_000;

/** The root key of an unsealed node. The bytes are borrowed from the seal. */
export interface Root {
  readonly key: SecretBytes;
  readonly id: string;
}

/**
 * Keeps the barrier of an unsealed node in step with the replicated keyring: opened when the root
 * key comes, opened again when any node changes the keyring, gone when the node is sealed.
 */
export class KeyringKeeper implements Disposable {
  readonly #records: SystemRecords;
  readonly #clusterId: string;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #unsubscribe: () => void;
  readonly #changes = new KeyedMutex();
  readonly #listeners = new Set<(barrier: Barrier | undefined) => void>();
  #root: Root | undefined;
  #barrier: Barrier | undefined;

  constructor(options: {
    readonly records: SystemRecords;
    readonly clusterId: string;
    readonly random: Random;
    readonly log: Logger;
  }) {
    this.#records = options.records;
    this.#clusterId = options.clusterId;
    this.#random = options.random;
    this.#log = options.log;
    this.#unsubscribe = options.records.onChange(KEYRING_RECORD, () => this.#reopen());
  }

  barrier(): Barrier | undefined {
    return this.#barrier;
  }

  get root(): Root | undefined {
    return this.#root;
  }

  /** Called with each new barrier, and with `undefined` when the node is sealed. */
  onBarrier(listener: (barrier: Barrier | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The node was unsealed. Before initialisation there is no keyring yet, and no barrier. */
  open(root: Root): void {
    this.#root = root;
    this.#reopen();
  }

  /** The node was sealed: overwrites every key. */
  close(): void {
    this.#root = undefined;
    this.#barrier?.[Symbol.dispose]();
    this.#use(undefined);
  }

  /** The first keyring, for `init`: written together with the seal's own records. */
  firstKeyring(root: Root, namespace: Uuid): Uint8Array {
    using empty = newKeyring(this.#random);
    using keyring = addNamespaceKey(empty, namespace, this.#random);
    return this.#seal(root, keyring);
  }

  /** The present keyring sealed under another root, for its rotation. Call it inside `alone`. */
  resealed(root: Root): Uint8Array {
    using keyring = this.#read().keyring;
    return this.#seal(root, keyring);
  }

  /**
   * The keyring of another cluster under this cluster's root, and `secret` sealed under its keys:
   * for taking over that cluster's snapshot. Nothing is written.
   *
   * @throws StrongroomError `seal.sealed`, `barrier.wrong-key`
   */
  takenOver(
    foreign: { readonly root: Root; readonly clusterId: string; readonly blob: Uint8Array },
    secret: { readonly place: Place; readonly plaintext: Uint8Array },
  ): { readonly blob: Uint8Array; readonly sealed: Uint8Array } {
    const own = this.#root;
    if (own === undefined) {
      throw new StrongroomError('seal.sealed', 'Cannot take over a keyring: this node is sealed');
    }
    const context = contextOf(foreign.clusterId, foreign.root);
    using keyring = openKeyring(foreign.root.key, foreign.blob, context);
    using barrier = createBarrier({ keyring, random: this.#random });
    return {
      blob: this.#seal(own, keyring),
      sealed: barrier.sealValue(secret.place, secret.plaintext),
    };
  }

  /** Closes the barrier and opens it anew: after a restore the keyring may be quite another. */
  renew(): void {
    this.#barrier?.[Symbol.dispose]();
    this.#use(undefined);
    this.#reopen();
  }

  /** Runs `task` while nothing else changes the keyring through this node, which must lead. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    return this.#changes.run(KEYRING_RECORD, task);
  }

  /** @returns the new epoch. */
  async rotate(): Promise<number> {
    return this.#change((keyring) => addEpoch(keyring, this.#random));
  }

  /** Epochs that nothing new is sealed under. The one before the present is kept: what retries get is sealed under it. */
  oldEpochs(): readonly number[] {
    if (this.#root === undefined || this.#records.get(KEYRING_RECORD) === undefined) return [];
    using keyring = this.#read().keyring;
    return keyring.epochs.filter((epoch) => epoch < keyring.epoch);
  }

  /** Forgets epochs before the one before `cleanSince`, under which nothing is left. */
  async dropOldEpochs(cleanSince: number): Promise<void> {
    const droppable = this.oldEpochs().filter((epoch) => epoch < cleanSince - 1);
    for (const epoch of droppable) await this.#change((keyring) => dropEpoch(keyring, epoch));
  }

  async createNamespaceKey(namespace: Uuid): Promise<void> {
    await this.#change((keyring) => addNamespaceKey(keyring, namespace, this.#random));
  }

  /** What the namespace holds is unreadable from here on. */
  async destroyNamespaceKey(namespace: Uuid): Promise<void> {
    await this.#change((keyring) => removeNamespaceKey(keyring, namespace));
  }

  #change(make: (keyring: Keyring) => Keyring): Promise<number> {
    return this.alone(() => this.#changeAlone(make));
  }

  async #changeAlone(make: (keyring: Keyring) => Keyring): Promise<number> {
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      const root = this.#root;
      if (root === undefined) break;
      const { keyring, revision } = this.#read();
      using before = keyring;
      using after = make(before);
      const blob = this.#seal(root, after);
      const written = await this.#records.write(
        new Map([[KEYRING_RECORD, blob]]),
        new Map([[KEYRING_RECORD, revision]]),
        AbortSignal.timeout(WRITE_MS),
      );
      if (written) return after.epoch;
    }
    throw new StrongroomError(
      'store.conflict',
      'Cannot change the keyring: it was changed by others all the time, or the node was sealed meanwhile; try again',
    );
  }

  #read(): { readonly keyring: Keyring; readonly revision: Revision } {
    const record = this.#records.get(KEYRING_RECORD);
    if (this.#root === undefined || record === undefined) {
      throw new StrongroomError('seal.sealed', 'Cannot read the keyring: this node is sealed');
    }
    return {
      keyring: openKeyring(this.#root.key, record.value, this.#context(this.#root)),
      revision: record.revision,
    };
  }

  #reopen(): void {
    const record = this.#records.get(KEYRING_RECORD);
    if (this.#root === undefined || record === undefined) return;
    try {
      using keyring = openKeyring(this.#root.key, record.value, this.#context(this.#root));
      const present = this.#barrier;
      if (present === undefined) this.#use(createBarrier({ keyring, random: this.#random }));
      else present.useKeyring(keyring);
      this.#log.info({ epoch: keyring.epoch }, 'The keyring is open');
    } catch (error) {
      // The root was rotated, and its own record has not been read yet: the seal brings the new one.
      if (!(error instanceof StrongroomError)) throw error;
      this.#log.warn({ code: error.code }, 'The keyring does not open with the root key held');
    }
  }

  #use(barrier: Barrier | undefined): void {
    this.#barrier = barrier;
    for (const listener of this.#listeners) listener(barrier);
  }

  #seal(root: Root, keyring: Keyring): Uint8Array {
    return sealKeyring(root.key, keyring, this.#context(root), this.#random);
  }

  #context(root: Root): Uint8Array {
    return contextOf(this.#clusterId, root);
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#listeners.clear();
    this.close();
  }
}

function contextOf(clusterId: string, root: Root): Uint8Array {
  return lengthPrefixed(utf8Bytes(clusterId), utf8Bytes(root.id));
}
