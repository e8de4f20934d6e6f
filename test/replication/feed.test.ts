import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { TcpProxy } from '../../chaos/grounds/processes/tcp-proxy.ts';
import {
  type Cancellation,
  type Clock,
  hex,
  StrongroomError,
  SystemRandom,
  systemClock,
} from '../../src/lib/index.ts';
import type { LogIndex } from '../../src/raft/index.ts';
import {
  ConsistencyGate,
  type EntrySource,
  FeedServer,
  RecentEntries,
  ReplicaFollower,
  type Source,
} from '../../src/replication/index.ts';
import type { Store } from '../../src/store/index.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';
import { commandAt, dump, members, open, put, read, tempDirectory } from '../store/harness.ts';
import { identity, insecure, type Listening, listen, node } from './harness.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);
const poll = { timeout: 10_000, interval: 10 };

/** A source of committed entries with a state, as a voter is. */
interface Leader extends AsyncDisposable {
  readonly id: number;
  readonly store: Store;
  readonly entries: RecentEntries;
  readonly server: Listening;
  confirmed: boolean;
}

async function startLeader(
  id: number,
  source?: (log: RecentEntries) => EntrySource,
): Promise<Leader> {
  const directory = await tempDirectory();
  const store = await open(directory.path);
  const entries = new RecentEntries(0);
  const leader = { id, store, entries, confirmed: true };
  const feed = feedOf(id, store, source?.(entries) ?? entries, async () => {
    if (!leader.confirmed) throw new StrongroomError('raft.no-leader', 'No quorum answers');
    return store.revision;
  });
  const server = await listen([feed]);
  return Object.assign(leader, {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  });
}

function feedOf(
  id: number,
  store: Store,
  source: EntrySource,
  readIndex: (signal: Cancellation) => Promise<number>,
): FeedServer {
  return new FeedServer({
    self: identity(id),
    source,
    store,
    readIndex,
    clock: systemClock,
    log: quietLogger,
    metrics: quietMetrics,
    requirePeerCertificate: false,
    progressMs: 20,
  });
}

function commitTo(leader: Leader, ...writes: Parameters<typeof put>[]): void {
  const entry = commandAt(leader.store.revision + 1, {
    writes: writes.map((args) => put(...args)),
  });
  leader.store.apply([entry], members);
  leader.entries.push([entry]);
}

/** Time goes on when it is told to. */
class ClockByHand implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void) {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers) {
      if (timer.dueMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}

interface Replica extends AsyncDisposable {
  readonly store: Store;
  readonly follower: ReplicaFollower;
  readonly gate: ConsistencyGate;
}

async function startReplica(
  id: number,
  sources: () => readonly Source[],
  betterMs = 60_000,
  special: Partial<ConstructorParameters<typeof ReplicaFollower>[0]> = {},
): Promise<Replica> {
  const directory = await tempDirectory();
  const store = await open(directory.path);
  const follower = new ReplicaFollower({
    self: identity(id),
    region: 'eu-west',
    store,
    sources,
    credentials: () => insecure,
    clock: systemClock,
    random: new SystemRandom(),
    log: quietLogger,
    metrics: quietMetrics,
    stalenessMaxMs: 1000,
    probeIntervalMs: 20,
    idleMs: 300,
    betterMs,
    ...special,
  });
  follower.start();
  const gate = new ConsistencyGate({
    store,
    freshness: follower.freshness,
    clock: systemClock,
    stalenessMaxMs: 1000,
    waitMaxMs: 400,
    failure: () => follower.failure(),
  });
  return {
    store,
    follower,
    gate,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const sourceAt = (id: number, port: number): Source => ({
  node: node(id),
  address: `127.0.0.1:${port}`,
});
const digestOf = (store: Store): string => hex(store.digest().digest);

describe('a read replica', () => {
  it('has every entry exactly once, however often its connection is cut', async () => {
    await using leader = await startLeader(1);
    await using proxy = await TcpProxy.listen(leader.server);
    await using replica = await startReplica(9, () => [sourceAt(1, proxy.port)]);
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 200; i++) commitTo(leader, [`k${i % 40}`, `${round}-${i}`]);
      await expect.poll(() => replica.store.revision, poll).toBeGreaterThan(round * 200);
      proxy.set({ kind: 'cut' });
      commitTo(leader, ['during', `${round}`]);
      proxy.set({ kind: 'pass' });
    }
    await expect.poll(() => replica.store.revision, poll).toBe(leader.store.revision);
    expect(digestOf(replica.store)).toBe(digestOf(leader.store));
    expect(await dump(replica.store)).toEqual(await dump(leader.store));
  }, 30_000);

  it('starts with a snapshot when the entries are gone, and goes on with entries', async () => {
    await using leader = await startLeader(1);
    for (let i = 0; i < 300; i++) commitTo(leader, [`k${i}`, 'x'.repeat(3000)]);
    leader.entries.reset(leader.store.revision);
    await using replica = await startReplica(9, () => [sourceAt(1, leader.server.port)]);
    await expect.poll(() => replica.store.revision, poll).toBe(300);
    commitTo(leader, ['after', '1']);
    await expect.poll(() => read(replica.store, 'after'), poll).toBe('1');
    expect(digestOf(replica.store)).toBe(digestOf(leader.store));
    expect(replica.store.applied().membership).toEqual(members);
  });

  it('is fed over a long way as fast as that allows, and not one small window at a time', async () => {
    await using leader = await startLeader(1);
    for (let i = 0; i < 2_000; i++) commitTo(leader, [`k${i}`, 'x'.repeat(3_000)]);
    leader.entries.reset(leader.store.revision);
    await using proxy = await TcpProxy.listen(leader.server);
    const nothing = { jitterMs: 0, lossRatio: 0, corruptRatio: 0 };
    const far = { kind: 'shaped', delayMs: 80, ...nothing } as const;
    proxy.set({ ...far, bytesPerSecond: Number.POSITIVE_INFINITY });
    const startMs = performance.now();
    await using replica = await startReplica(9, () => [sourceAt(1, proxy.port)], 60_000, {
      idleMs: 5_000,
      stalenessMaxMs: 60_000,
    });
    await expect.poll(() => replica.store.revision, { timeout: 30_000 }).toBe(2_000);
    // Six megabytes: with windows of 64 KiB and 160 ms for each it would take fifteen seconds.
    expect(performance.now() - startMs).toBeLessThan(8_000);
  }, 40_000);

  it('turns to the next source when one is silently cut off', async () => {
    await using first = await startLeader(1);
    await using second = await startLeader(2);
    await using proxy = await TcpProxy.listen(first.server);
    await using replica = await startReplica(9, () => [
      sourceAt(1, proxy.port),
      sourceAt(2, second.server.port),
    ]);
    for (const leader of [first, second]) commitTo(leader, ['a', '1']);
    await expect.poll(() => replica.store.revision, poll).toBe(1);
    expect(replica.follower.status().source).toBe(1);
    proxy.set({ kind: 'stall' });
    for (const leader of [first, second]) commitTo(leader, ['a', '2']);
    await expect.poll(() => read(replica.store, 'a'), poll).toBe('2');
    expect(replica.follower.status()).toMatchObject({ state: 'following', source: 2 });
  }, 15_000);

  it('feeds another replica, which learns through it what is committed', async () => {
    await using leader = await startLeader(1);
    await using near = await startReplica(8, () => [sourceAt(1, leader.server.port)]);
    const relay = feedOf(8, near.store, near.follower.recent, (signal) =>
      near.follower.readIndex(signal),
    );
    await using relayServer = await listen([relay]);
    await using far = await startReplica(9, () => [sourceAt(8, relayServer.port)]);
    commitTo(leader, ['a', '1']);
    await expect.poll(() => read(far.store, 'a'), poll).toBe('1');
    await expect.poll(() => far.follower.lag().fresh, poll).toBe(true);
    expect(far.follower.lag().entries).toBe(0);
    commitTo(leader, ['a', '2']);
    await far.gate.ready({ kind: 'linearizable' }, never);
    expect(read(far.store, 'a')).toBe('2');
  });

  it('goes back to the better source some time after it was lost', async () => {
    await using first = await startLeader(1);
    await using second = await startLeader(2);
    await using proxy = await TcpProxy.listen(first.server);
    await using replica = await startReplica(
      9,
      () => [sourceAt(1, proxy.port), sourceAt(2, second.server.port)],
      50,
    );
    await expect.poll(() => replica.follower.status().source, poll).toBe(1);
    proxy.set({ kind: 'cut' });
    await expect.poll(() => replica.follower.status().source, poll).toBe(2);
    proxy.set({ kind: 'pass' });
    await expect.poll(() => replica.follower.status().source, poll).toBe(1);
  }, 20_000);

  it('leaves a source that speaks but cannot confirm anything, for one that can', async () => {
    await using cutOff = await startLeader(1);
    await using leader = await startLeader(2);
    await using replica = await startReplica(9, () => [
      sourceAt(1, cutOff.server.port),
      sourceAt(2, leader.server.port),
    ]);
    await expect.poll(() => replica.follower.status().source, poll).toBe(1);
    cutOff.confirmed = false;
    commitTo(leader, ['a', '1']);
    await expect.poll(() => read(replica.store, 'a'), poll).toBe('1');
    expect(replica.follower.status().source).toBe(2);
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(true);
  });

  it('gives a source its time from when it is heard, however long the connection took', async () => {
    await using leader = await startLeader(1);
    await using other = await startLeader(2);
    await using proxy = await TcpProxy.listen(leader.server);
    leader.confirmed = false;
    proxy.set({ kind: 'stall' });
    const clock = new ClockByHand();
    const warnings: string[] = [];
    const log = { ...quietLogger, warn: (_: unknown, message: string) => warnings.push(message) };
    await using replica = await startReplica(
      9,
      () => [sourceAt(1, proxy.port), sourceAt(2, other.server.port)],
      60_000,
      { clock, log, idleMs: 100_000 },
    );
    // Far away: what is needed for the connection alone takes nearly all of a source's time.
    clock.advance(450);
    proxy.set({ kind: 'pass' });
    await expect.poll(() => replica.follower.status().state, poll).toBe('following');
    for (let step = 0; step < 4; step++) clock.advance(125);
    expect(warnings).toEqual([]);
    for (let step = 0; step < 4; step++) clock.advance(125);
    expect(warnings).toEqual(['The source cannot prove to be fresh, turns to the next']);
    await expect.poll(() => replica.follower.status().source, poll).toBe(2);
  });

  it('whose state differs from its source takes itself out', async () => {
    await using leader = await startLeader(1);
    // Hands on other bytes than the leader has applied.
    const liar = (log: RecentEntries): EntrySource => ({
      get commitIndex() {
        return log.commitIndex;
      },
      async *committedEntries(from, signal) {
        for await (const entries of log.committedEntries(from, signal)) {
          yield entries.map((entry) => commandAt(entry.index, { writes: [put('a', 'wrong')] }));
        }
      },
    });
    await using second = await startLeader(2, liar);
    commitTo(leader, ['a', '1']);
    commitTo(second, ['a', '1']);
    await using replica = await startReplica(9, () => [sourceAt(2, second.server.port)]);
    await expect.poll(() => replica.follower.status().state, poll).toBe('failed');
    await expect(replica.gate.ready({ kind: 'eventual' }, never)).rejects.toMatchObject({
      code: 'store.diverged',
    });
    expect(replica.follower.lag().fresh).toBe(false);
  });
});

describe('a read on a replica', () => {
  it('that must be linearizable sees what was committed before it, and fails when cut off', async () => {
    await using leader = await startLeader(1);
    await using proxy = await TcpProxy.listen(leader.server);
    await using replica = await startReplica(9, () => [sourceAt(1, proxy.port)]);
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(true);
    for (let i = 0; i < 50; i++) {
      commitTo(leader, ['a', `${i}`]);
      await replica.gate.ready({ kind: 'linearizable' }, never);
      expect(read(replica.store, 'a')).toBe(`${i}`);
    }
    proxy.set({ kind: 'cut' });
    await expect(replica.gate.ready({ kind: 'linearizable' }, never)).rejects.toBeInstanceOf(
      StrongroomError,
    );
  });

  it('waits for the revision it asks for, but not when nobody made it', async () => {
    await using leader = await startLeader(1);
    await using replica = await startReplica(9, () => [sourceAt(1, leader.server.port)]);
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(true);
    const ready = replica.gate.ready({ kind: 'at-least', revision: 1 }, never);
    commitTo(leader, ['a', '1']);
    await ready;
    expect(read(replica.store, 'a')).toBe('1');
    await expect(
      replica.gate.ready({ kind: 'at-least', revision: 9 }, never),
    ).rejects.toMatchObject({ code: 'replication.unknown-revision' });
  });

  it('waits for what was made and does not come, but not for ever', async () => {
    const withheld = (log: RecentEntries): EntrySource => ({
      get commitIndex() {
        return log.commitIndex;
      },
      committedEntries: (_from, signal) => log.committedEntries(1_000 as LogIndex, signal),
    });
    await using leader = await startLeader(1, withheld);
    await using replica = await startReplica(9, () => [sourceAt(1, leader.server.port)]);
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(true);
    commitTo(leader, ['a', '1']);
    await expect(
      replica.gate.ready({ kind: 'at-least', revision: 1 }, never),
    ).rejects.toMatchObject({ code: 'replication.behind' });
  });

  it('is refused once the leader cannot confirm itself for longer than the bound', async () => {
    await using leader = await startLeader(1);
    await using replica = await startReplica(9, () => [sourceAt(1, leader.server.port)]);
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(true);
    await replica.gate.ready({ kind: 'bounded', stalenessMs: 500 }, never);
    // The source still speaks and feeds: only the quorum's confirmation is missing.
    leader.confirmed = false;
    commitTo(leader, ['a', '1']);
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(false);
    expect(replica.follower.status().state).toBe('following');
    for (const kind of [{ kind: 'bounded', stalenessMs: 60_000 }, { kind: 'eventual' }] as const) {
      await expect(replica.gate.ready(kind, never)).rejects.toMatchObject({
        code: 'replication.stale',
      });
    }
    leader.confirmed = true;
    await expect.poll(() => replica.follower.lag().fresh, poll).toBe(true);
    await replica.gate.ready({ kind: 'eventual' }, never);
  });
});
