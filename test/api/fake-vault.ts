import { type Cancellation, StrongroomError } from '../../src/lib/index.ts';
import type {
  OperationFace,
  SecretEvent,
  Vault,
  VaultAnswer,
  VaultRequest,
} from '../../src/vault/index.ts';

type Handler = (request: VaultRequest) => Promise<VaultAnswer>;
type Change = { readonly events: readonly SecretEvent[]; readonly revision: number };

/**
 * A vault in memory with what the faces need: kv.put and kv.get over a map with versions, and any
 * handler a test puts in. It remembers the requests that it was given.
 */
export class FakeVault implements Vault {
  readonly requests: VaultRequest[] = [];
  readonly handlers = new Map<string, Handler>();
  readonly changes: Change[] = [];
  readonly #secrets = new Map<string, { data: Uint8Array; version: number }>();
  readonly #results = new Map<string, VaultAnswer>();
  readonly #waiting = new Set<() => void>();
  revision = 0;

  constructor() {
    this.handlers.set('kv.put', (request) => Promise.resolve(this.#put(request)));
    this.handlers.set('kv.get', (request) => Promise.resolve(this.#get(request)));
  }

  get operations(): ReadonlyMap<string, OperationFace> {
    return new Map([...this.handlers.keys()].map((name) => [name, faceOf(name)]));
  }

  async handle(request: VaultRequest): Promise<VaultAnswer> {
    this.requests.push(request);
    const handler = this.handlers.get(request.operation);
    if (handler === undefined) throw new Error(`No fake of ${request.operation}`);
    return handler(request);
  }

  tell(change: Change): void {
    this.changes.push(change);
    this.revision = change.revision;
    for (const wake of this.#waiting) wake();
  }

  watch(request: Parameters<Vault['watch']>[0]): AsyncIterable<Change> {
    return this.#changesFor(request);
  }

  async *#changesFor(request: { readonly afterRevision: number; readonly signal: Cancellation }) {
    let at = this.changes.findIndex((change) => change.revision > request.afterRevision);
    if (at < 0) at = this.changes.length;
    for (;;) {
      const change = this.changes[at];
      if (change !== undefined) {
        at++;
        yield change;
      } else await this.#change(request.signal);
    }
  }

  #change(signal: Cancellation): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const wake = () => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  #put({ payload, requestId }: VaultRequest): VaultAnswer {
    const id = requestId === undefined ? undefined : Buffer.from(requestId).toString('hex');
    const earlier = id === undefined ? undefined : this.#results.get(id);
    if (earlier !== undefined) return earlier;
    const key = placeOf(payload);
    const version = (this.#secrets.get(key)?.version ?? 0) + 1;
    if (payload['cas'] !== undefined && payload['cas'] !== version - 1)
      throw new StrongroomError('kv.check-and-set-mismatch', 'The version is another', {
        details: { current: version - 1 },
      });
    this.#secrets.set(key, { data: payload['data'] as Uint8Array, version });
    this.revision++;
    const answer = { payload: { revision: this.revision, version: { version } } };
    if (id !== undefined) this.#results.set(id, answer);
    return answer;
  }

  #get({ payload }: VaultRequest): VaultAnswer {
    const secret = this.#secrets.get(placeOf(payload));
    if (secret === undefined) throw new StrongroomError('kv.not-found', 'There is no such secret');
    const { data, version } = secret;
    return { payload: { revision: this.revision, data, version: { version } } };
  }
}

function placeOf(payload: VaultRequest['payload']): string {
  return `${String(payload['mount'])}/${String(payload['path'])}`;
}

function faceOf(name: string): OperationFace {
  const read = name.endsWith('.get') || name.endsWith('.list') || name.endsWith('.status');
  return {
    name,
    summary: name,
    pathTemplate: '{mount}/data/{path}',
    capability: read ? 'read' : 'update',
    access: 'token',
    effect: read ? 'read' : 'write',
    request: {},
    response: {},
  };
}
