import { sealedRange } from '../../barrier/index.ts';
import { fromHex } from '../../lib/index.ts';
import { namespaceSegments } from '../paths.ts';
import { decodeRecord, ROOT_NAMESPACE, systemArea, systemKind } from '../places.ts';
import type { VaultBackend } from '../ports.ts';
import type { StoragePort } from '../storage-port.ts';
import type { TransactionRunner } from '../transaction-runner.ts';

const DELETIONS_A_PASS = 100;
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

  /** @param uuid hex. */
  async finish(uuid: string, path: string, signal: AbortSignal): Promise<void> {
    const namespace = fromHex(uuid);
    await this.#backend.namespaceKeys.destroy(namespace);
    await this.#backend.commit(
      { reads: [], writes: [{ kind: 'delete-range', ...sealedRange(namespace) }] },
      signal,
    );
    await this.#runner.run(
      (storage) => {
        storage.delete(systemArea(ROOT_NAMESPACE, systemKind.namespace), namespaceSegments(path));
        storage.delete(systemArea(ROOT_NAMESPACE, systemKind.namespaceId), [uuid]);
        storage.delete(deletions, [uuid]);
      },
      { signal },
    );
  }

  /** Takes up what an earlier leader left unfinished. */
  async resume(signal: AbortSignal): Promise<void> {
    const left: { readonly uuid: string; readonly path: string }[] = [];
    {
      using storage = this.#storage.view();
      const { names } = await storage.list(deletions, [], { limit: DELETIONS_A_PASS });
      for (const uuid of names) {
        const bytes = storage.get(deletions, [uuid]);
        if (bytes !== undefined) left.push({ uuid, ...decodeRecord<{ path: string }>(bytes) });
      }
    }
    for (const { uuid, path } of left) await this.finish(uuid, path, signal);
  }
}
