import { sealedRange } from '../../barrier/index.ts';
import { fromHex } from '../../lib/index.ts';
import { namespaceSegments } from '../paths.ts';
import { decodeRecord, ROOT_NAMESPACE, systemArea, systemKind } from '../places.ts';
import type { VaultBackend } from '../ports.ts';
import type { StoragePort } from '../storage-port.ts';
import type { TransactionRunner } from '../transaction-runner.ts';
import type { NamespaceRecord } from './namespace-record.ts';

const DELETIONS_A_PASS = 100;
const FINISH_MS = 30_000;
const deletions = systemArea(ROOT_NAMESPACE, systemKind.deletion);

/**
 * Ends what a deletion began, in steps that may each be done twice: the key first, because without
 * it everything inside is unreadable at once; then the records; then the name is free again. A
 * fail-over in between leaves a note for the next leader.
 */
export class NamespaceDeletion {
  readonly #backend: VaultBackend;
  readonly #storage: StoragePort;
  readonly #runner: TransactionRunner;

  constructor(backend: VaultBackend, storage: StoragePort, runner: TransactionRunner) {
    this.#backend = backend;
    this.#storage = storage;
    this.#runner = runner;
  }

  /**
   * Not bound to a caller's patience: half a deletion helps nobody.
   * @param uuid hex.
   */
  async finish(uuid: string, path: string): Promise<void> {
    const signal = AbortSignal.timeout(FINISH_MS);
    const namespace = fromHex(uuid);
    await this.#backend.namespaceKeys.destroy(namespace);
    await this.#backend.commit(
      { reads: [], writes: [{ kind: 'delete-range', ...sealedRange(namespace) }] },
      signal,
    );
    await this.#runner.run(
      (storage) => {
        // Finished twice, by two who took it up: the name may already be another's.
        const area = systemArea(ROOT_NAMESPACE, systemKind.namespace);
        const bytes = storage.get(area, namespaceSegments(path));
        if (bytes !== undefined && decodeRecord<NamespaceRecord>(bytes).uuid === uuid) {
          storage.delete(area, namespaceSegments(path));
        }
        storage.delete(systemArea(ROOT_NAMESPACE, systemKind.namespaceId), [uuid]);
        storage.delete(deletions, [uuid]);
      },
      { signal },
    );
  }

  /** Takes up what was left unfinished, here or by an earlier leader. */
  async resume(): Promise<void> {
    const left: { readonly uuid: string; readonly path: string }[] = [];
    {
      using storage = this.#storage.view();
      const { names } = await storage.list(deletions, [], { limit: DELETIONS_A_PASS });
      for (const uuid of names) {
        const bytes = storage.get(deletions, [uuid]);
        if (bytes !== undefined) left.push({ uuid, ...decodeRecord<{ path: string }>(bytes) });
      }
    }
    for (const { uuid, path } of left) await this.finish(uuid, path);
  }
}
