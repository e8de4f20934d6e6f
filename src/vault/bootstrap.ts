import { type Cancellation, type Clock, type Random, StrongroomError } from '../lib/index.ts';
import type { EnginePlugin } from './engine-plugin.ts';
import { addMount } from './mounts/mount-operations.ts';
import { ROOT_NAMESPACE, systemArea, systemKind } from './places.ts';
import { putDefaultPolicy } from './policies/default-policy.ts';
import { ROOT_POLICY_NAME } from './policy/default-policies.ts';
import type { VaultBackend } from './ports.ts';
import type { StoragePort } from './storage-port.ts';
import { TOKEN_KEY_PATH } from './tokens/authenticator.ts';
import { hashToken, newAccessor, newToken } from './tokens/token-name.ts';
import { addToken } from './tokens/token-store.ts';
import type { TransactionRunner } from './transaction-runner.ts';

const TOKEN_KEY_BYTES = 32;
const single = systemArea(ROOT_NAMESPACE, systemKind.single);

export function isBootstrapped(storage: StoragePort): boolean {
  using view = storage.view();
  return view.get(single, TOKEN_KEY_PATH) !== undefined;
}

/** In one transaction: either all of a new vault is there or nothing of it. */
export async function bootstrapVault(parts: {
  readonly backend: VaultBackend;
  readonly runner: TransactionRunner;
  readonly engines: readonly EnginePlugin[];
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: Cancellation;
}): Promise<{ readonly rootToken: string }> {
  const { runner, engines, clock, random, signal } = parts;
  const nowMs = clock.wallMs();
  const outcome = await runner.run(
    async (storage) => {
      if (storage.get(single, TOKEN_KEY_PATH) !== undefined) {
        throw new StrongroomError('seal.already-initialized', 'The vault was set up already');
      }
      const key = random.bytes(TOKEN_KEY_BYTES);
      storage.put(single, TOKEN_KEY_PATH, key);
      await putDefaultPolicy(storage, ROOT_NAMESPACE);
      const kv = engines.find((engine) => engine.type === 'kv');
      if (kv !== undefined) {
        await addMount(storage, {
          path: 'secret',
          type: kv.type,
          description: 'Versioned secrets',
          options: {},
          engines,
          namespace: ROOT_NAMESPACE,
          nowMs,
          random,
        });
      }
      const rootToken = newToken(random, ROOT_NAMESPACE);
      const place = { namespace: ROOT_NAMESPACE, hash: hashToken(key, rootToken) };
      addToken(storage, place, {
        accessor: newAccessor(random),
        depth: 0,
        policies: [ROOT_POLICY_NAME],
        path: 'auth/token/root',
        meta: {},
        displayName: 'root',
        usesLeft: 0,
        createdAtMs: nowMs,
        expiresAtMs: 0,
        creationTtlMs: 0,
        explicitMaxTtlMs: 0,
        periodMs: 0,
        renewable: false,
        lastRenewedAtMs: 0,
      });
      return { rootToken };
    },
    { signal },
  );
  if (outcome.kind === 'done') return outcome.result;
  throw new StrongroomError('seal.already-initialized', 'The vault was set up already');
}
