import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  addNamespaceKey,
  type Barrier,
  createBarrier,
  loadSodium,
  newKeyring,
  removeNamespaceKey,
} from '../../src/barrier/index.ts';
import { kvEngine } from '../../src/engines/index.ts';
import {
  type Clock,
  SeededRandom,
  StrongroomError,
  utf8Bytes,
  utf8Text,
} from '../../src/lib/index.ts';
import type { LogIndex, NodeId, Term } from '../../src/raft/index.ts';
import {
  encodeTransaction,
  openStore,
  type Store,
  type Transaction,
  type TransactionResult,
} from '../../src/store/index.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';
import {
  type AuditPort,
  type AuditRecord,
  type AuditSink,
  type ClusterPort,
  createVault,
  type EnginePlugin,
  ROOT_NAMESPACE,
  type RunningVault,
  type SealPort,
  type VaultAnswer,
  type VaultBackend,
  type VaultOptions,
  type VaultRequest,
} from '../../src/vault/index.ts';

export type Payload = Readonly<Record<string, unknown>>;
export type Answer = Record<string, unknown>;

/** Time that stands until it is moved; timers fire when it passes them. */
export class SteppedClock implements Clock {
  nowMs = Date.UTC(2026, 0, 1);
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, callback: () => void) {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  advance(byMs: number): void {
    this.nowMs += byMs;
    const due = this.#timers.filter((one) => one.atMs <= this.nowMs);
    this.#timers = this.#timers.filter((one) => one.atMs > this.nowMs);
    for (const timer of due) timer.callback();
  }
}

/** What tests turn and look at: the parts that a server would hand in. */
type ToldFields = Readonly<Record<string, unknown>>;
/** An audit record, read back. */
export interface TellingRecord {
  readonly type: AuditRecord['type'];
  readonly fields: ToldFields;
}

export interface VaultFixture extends AsyncDisposable {
  readonly vault: RunningVault;
  /** A second vault on the same store, with latches and caches of its own: as after a failover. */
  readonly other: RunningVault;
  readonly callOther: VaultFixture['call'];
  readonly store: Store;
  readonly clock: SteppedClock;
  readonly rootToken: string;
  /** Every audit record, in order. */
  readonly audit: TellingRecord[];
  /** Transactions proposed so far. */
  readonly proposals: Transaction[];
  readonly forwarded: VaultRequest[];
  readonly set: {
    sealed: boolean;
    leader: boolean;
    auditFails: boolean;
    /** Runs before each commit, once: to come in between. */
    beforeCommit: (() => Promise<void>) | undefined;
    /** Where requests are forwarded to; nowhere when absent. */
    forward: ((request: VaultRequest) => Promise<VaultAnswer>) | undefined;
    /** The next commit is made, but its proposer never learns of it. */
    loseNextResult: boolean;
    /** The next destruction of a namespace key fails. */
    failNextDestroy: boolean;
  };
  /** @throws StrongroomError */
  call(operation: string, payload?: Payload, options?: Partial<VaultRequest>): Promise<Answer>;
  /** The code of the failure, or "ok". */
  codeOf(operation: string, payload?: Payload, options?: Partial<VaultRequest>): Promise<string>;
  /** A token with one policy of the given text. */
  tokenWith(policy: string, request?: Payload): Promise<string>;
  readonly barrier: () => Barrier | undefined;
}

const membership = { voters: [1 as NodeId], learners: [], removed: [] };
let policies = 0;

/** A bootstrapped vault on a real store and a real barrier, one node, its own clock. */
export async function startVault(
  options: {
    readonly sinks?: number;
    /** What the other vault has, such as that of the next version; the same when absent. */
    readonly otherEngines?: readonly EnginePlugin[];
  } = {},
): Promise<VaultFixture> {
  await loadSodium();
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-vault-'));
  const clock = new SteppedClock();
  const random = new SeededRandom(7);
  const store = await openStore({ directory, clock, log: quietLogger, metrics: quietMetrics });
  let keyring = newKeyring(random);
  let barrier = createBarrier({ keyring, random });
  const audit: TellingRecord[] = [];
  const proposals: Transaction[] = [];
  const forwarded: VaultRequest[] = [];
  const set: VaultFixture['set'] = {
    sealed: false,
    leader: true,
    auditFails: false,
    beforeCommit: undefined,
    forward: undefined,
    loseNextResult: false,
    failNextDestroy: false,
  };
  const apply = (transaction: Transaction): TransactionResult => {
    const index = (store.revision + 1) as LogIndex;
    const data = encodeTransaction(transaction);
    const entry = { index, term: 1 as Term, kind: 'command' as const, data };
    const [result] = store.apply([entry], membership);
    return result as TransactionResult;
  };
  const backend: VaultBackend = {
    store,
    barrier: () => (set.sealed ? undefined : barrier),
    isLeader: () => set.leader,
    async commit(transaction) {
      const { beforeCommit } = set;
      set.beforeCommit = undefined;
      await beforeCommit?.();
      proposals.push(transaction);
      const result = apply(transaction);
      if (!set.loseNextResult) return result;
      set.loseNextResult = false;
      throw new StrongroomError('raft.outcome-unknown', 'Leadership changed');
    },
    async freshen(consistency) {
      if (consistency.kind !== 'at-least' || consistency.revision <= store.revision) return;
      throw new StrongroomError('replication.unknown-revision', 'No such revision was made');
    },
    forward(request) {
      forwarded.push(request);
      if (set.forward !== undefined) return set.forward(request);
      return Promise.resolve({ payload: { forwarded: true } });
    },
    namespaceKeys: {
      create(namespace) {
        keyring = addNamespaceKey(keyring, namespace, random);
        barrier = createBarrier({ keyring, random });
        return Promise.resolve();
      },
      destroy(namespace) {
        if (set.failNextDestroy) {
          set.failNextDestroy = false;
          return Promise.reject(new StrongroomError('raft.not-leader', 'Not the leader'));
        }
        keyring = removeNamespaceKey(keyring, namespace);
        barrier = createBarrier({ keyring, random });
        return Promise.resolve();
      },
    },
  };
  const parts: VaultOptions = {
    backend,
    seal: {
      ...sealPort,
      unseal: () => {
        set.sealed = false;
        return done();
      },
    },
    cluster: clusterPort,
    audit: auditPort(),
    sinks: Array.from({ length: options.sinks ?? 1 }, (_, at) => sink(at, audit, set)),
    engines: [kvEngine()],
    clock,
    random,
    log: quietLogger,
    metrics: quietMetrics,
  };
  const vault = createVault(parts);
  const other = createVault({ ...parts, engines: options.otherEngines ?? parts.engines });
  await backend.namespaceKeys.create(ROOT_NAMESPACE);
  const { rootToken } = await vault.bootstrap();
  const caller =
    (at: RunningVault): VaultFixture['call'] =>
    async (operation, payload = {}, asked = {}) => {
      const answer = await at.handle({
        operation,
        namespace: '',
        token: rootToken,
        payload,
        requestId: undefined,
        consistency: undefined,
        correlationId: 'test',
        remoteAddress: '192.0.2.1',
        signal: new AbortController().signal,
        ...asked,
      });
      return answer.payload as Answer;
    };
  const call = caller(vault);
  return {
    vault,
    other,
    callOther: caller(other),
    store,
    clock,
    rootToken,
    audit,
    proposals,
    forwarded,
    set,
    barrier: () => backend.barrier(),
    call,
    async codeOf(operation, payload, asked) {
      try {
        await call(operation, payload, asked);
        return 'ok';
      } catch (error) {
        if (error instanceof StrongroomError) return error.code;
        throw error;
      }
    },
    async tokenWith(policy, request = {}) {
      const name = `p${++policies}`;
      await call('policy.put', { name, policy });
      const answer = await call('token.create', { policies: [name], ...request });
      return String(answer['token']);
    },
    async [Symbol.asyncDispose]() {
      await vault.stop();
      await other.stop();
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const json = (value: unknown): Uint8Array => utf8Bytes(JSON.stringify(value));
export const parsed = (bytes: unknown): unknown => JSON.parse(utf8Text(bytes as Uint8Array));

function sink(at: number, records: TellingRecord[], set: VaultFixture['set']): AuditSink {
  return {
    name: `sink-${at}`,
    kind: 'memory',
    target: 'memory',
    append(record) {
      // Only the first of several fails: one that takes the record is enough.
      if (set.auditFails && at === 0) {
        return Promise.reject(new StrongroomError('audit.sink-failed', 'The disk is full'));
      }
      records.push({ type: record.type, fields: JSON.parse(`{${record.members}}`) as ToldFields });
      return Promise.resolve();
    },
    head: () => ({ sequence: records.length, hash: new Uint8Array(32) }),
    close: () => Promise.resolve(),
  };
}

const done = () => Promise.resolve({});

const sealPort: SealPort = {
  status: () => Promise.resolve({ initialized: true, state: 'unsealed' }),
  init: done,
  unseal: done,
  seal: done,
  addSlot: done,
  removeSlot: done,
  forgetRejectedPins: done,
  rotateKeyring: done,
  rotateRoot: done,
  rotateKek: done,
};

const clusterPort = {
  status: () => Promise.resolve({ clusterId: 'c' }),
  createJoinToken: () => Promise.resolve({ joinToken: 'join-secret' }),
  join: done,
  promote: done,
  demote: done,
  remove: done,
  stepDown: done,
} satisfies ClusterPort;

function auditPort(): AuditPort {
  const hash = (value: string | Uint8Array) =>
    `hmac-sha256:${createHmac('sha256', 'audit').update(value).digest('hex')}`;
  return {
    list: () => Promise.resolve({ sinks: [] }),
    hash: (_context, { value }) => Promise.resolve({ hash: hash(value) }),
    heads: () => Promise.resolve({ heads: [] }),
    hashOf: hash,
  };
}
