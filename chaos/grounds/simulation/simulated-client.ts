import { hasCode, StrongroomError, utf8Bytes } from '../../../src/lib/index.ts';
import type { VaultClient } from '../ground.ts';
import type { SimulatedVault } from './simulated-vault.ts';

const TIMEOUT_MS_DEFAULT = 10_000;
/** An attempt that is not answered in this time goes to another node. */
const ATTEMPT_MS = 1_500;
const BACKOFF_MS = 25;

type Payload = Readonly<Record<string, unknown>>;

/** Failures that say what the answer is, whoever is asked. */
const FINAL = ['kv.check-and-set-mismatch', 'kv.not-found', 'request.unknown-operation'] as const;

/**
 * What the product's client does, on simulated time: one node first, then whoever is said to lead,
 * else the next; a retry has the call's id, so that it is done once.
 */
export class SimulatedClient implements VaultClient {
  readonly #vault: SimulatedVault;
  readonly #id: string;
  #target: string;
  #calls = 0;

  constructor(vault: SimulatedVault, id: string, target: string) {
    this.#vault = vault;
    this.#id = id;
    this.#target = target;
  }

  call: VaultClient['call'] = async (operation, payload, options) => {
    const { scheduler } = this.#vault;
    const timeoutMs = options?.timeoutMs ?? TIMEOUT_MS_DEFAULT;
    const deadlineMs = scheduler.nowMs + timeoutMs;
    const id = `${this.#id}/${++this.#calls}`;
    for (let attempt = 1; ; attempt++) {
      const leftMs = deadlineMs - scheduler.nowMs;
      if (leftMs <= 0) throw tooLate(operation, timeoutMs);
      try {
        const target = options?.address ?? this.#target;
        const work = this.#ask(target, operation, payload as Payload, { id, attempt });
        return (await this.#within(work, Math.min(ATTEMPT_MS, leftMs))) as never;
      } catch (error) {
        if (hasCode(error, ...FINAL)) throw error;
        // One that was named is asked again.
        if (options?.address === undefined)
          this.#target = this.#vault.leaderIn(error) ?? this.#vault.nodeAfter(this.#target);
        await new Promise<void>((resolve) => scheduler.after(BACKOFF_MS, resolve));
      }
    }
  };

  watch: VaultClient['watch'] = () => {
    throw unknown('watch.watch');
  };

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #ask(
    target: string,
    operation: string,
    payload: Payload,
    call: { readonly id: string; readonly attempt: number },
  ): Promise<Payload> {
    const node = await this.#vault.reach(target);
    const key = String(payload['path']);
    switch (operation) {
      case 'kv.put': {
        const text = new TextDecoder().decode(payload['data'] as Uint8Array);
        const { value } = JSON.parse(text) as { readonly value: string };
        const cas = payload['cas'] as number | undefined;
        const command = { ...call, key, value, ...(cas === undefined ? {} : { cas }) };
        const result = await this.#vault.write(node, command);
        if (result.kind === 'cas-mismatch')
          throw new StrongroomError('kv.check-and-set-mismatch', 'Another version is current');
        return { version: { version: result.version }, revision: result.revision };
      }
      case 'kv.get': {
        const { found, revision } = await this.#vault.read(node, key);
        if (found === undefined)
          throw new StrongroomError('kv.not-found', 'Cannot find the secret', {
            details: { revision },
          });
        const data = utf8Bytes(JSON.stringify({ value: found.value }));
        return { data, version: { version: found.version }, revision };
      }
      case 'cluster.status':
        // Nodes are addressed by their names.
        return { members: this.#vault.names.map((name) => ({ name, apiAddress: name })) };
      case 'cluster.stepDown':
        await this.#vault.stepDown(node);
        return {};
      default:
        throw unknown(operation);
    }
  }

  #within<T>(work: Promise<T>, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#vault.scheduler.after(ms, () =>
        reject(new StrongroomError('client.unreachable', `No answer within ${ms} ms`)),
      );
      work.then(resolve, reject);
    });
  }
}

function unknown(operation: string): StrongroomError {
  return new StrongroomError(
    'request.unknown-operation',
    `The simulation knows nothing of "${operation}": it has secrets, members and leadership`,
  );
}

function tooLate(operation: string, timeoutMs: number): StrongroomError {
  return new StrongroomError(
    'request.deadline-exceeded',
    `"${operation}" was not answered within ${timeoutMs} ms`,
  );
}
