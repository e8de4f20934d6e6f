import { describe, expect, test } from 'vitest';
import { simulate } from '../../chaos/simulation/simulation.ts';
import { checkTrace } from '../../chaos/trace/check-trace.ts';
import { parseTraceLines, traceLines } from '../../chaos/trace/trace-lines.ts';
import { SeededRandom } from '../../src/lib/index.ts';
import type { TraceEvent, TraceName } from '../../src/raft/core/index.ts';
import { CoreCluster } from '../harness/core-cluster.ts';
import { nodeId } from '../harness/core-node.ts';

/** What a cluster does under one seed of losses, copies, crashes, proposals and changes. */
function recorded(seed: number, steps = 60): readonly TraceEvent[] {
  const events: TraceEvent[] = [];
  const random = new SeededRandom(seed);
  const voters = [1, 2, 3, 4, 5].slice(0, 2 + random.below(4));
  const trace = (event: TraceEvent) => events.push(event);
  const cluster = new CoreCluster({ voters, seed, tuning: { trace, electionTicks: 5 } });
  for (let i = 0; i < steps; i++) {
    const node = cluster.node(1 + random.below(voters.length));
    const dice = random.below(20);
    if (dice < 9) cluster.run(1);
    else if (dice < 12) cluster.leader?.propose(`a${i}`, `b${i}`);
    else if (dice === 12)
      cluster.partition(
        [node.id],
        voters.filter((id) => id !== node.id),
      );
    else if (dice === 13) cluster.heal();
    else if (dice === 14) node.slowDisk = !node.slowDisk;
    else if (dice === 15) node.restart();
    else if (dice === 16) cluster.leader?.core.transferLeadership(node.id);
    else if (dice === 17 && voters.length > 3) {
      cluster.leader?.core.proposeMembership({ kind: 'demote', node: nodeId(node.id) });
    } else if (dice === 18) cluster.deliver(cluster.delivered.at(-1) ?? neverSent(node.id));
    else cluster.tick(node.id, 6);
    for (const each of cluster.nodes.values()) if (!each.slowDisk) while (each.persistOne());
    cluster.settle();
  }
  return events;
}

const neverSent = (to: number) =>
  ({ kind: 'removed', from: nodeId(99), to: nodeId(to), term: 0 as never }) as const;

/** A quiet election with two writes: long enough to be lied about. */
function quiet(): TraceEvent[] {
  const events: TraceEvent[] = [];
  const trace = (event: TraceEvent) => events.push(event);
  const cluster = new CoreCluster({ voters: [1, 2, 3], tuning: { trace } });
  cluster.elect(1).propose('a', 'b');
  cluster.run(2);
  cluster.node(3).restart();
  cluster.run(2);
  return events;
}

const nth = (events: readonly TraceEvent[], name: TraceName, which = 0): number => {
  const places = events.flatMap((event, at) => (event.name === name ? [at] : []));
  return places[which] ?? -1;
};

describe('the reference model', () => {
  test('accepts 250 traces of the core under trouble', () => {
    let length = 0;
    for (let seed = 1; seed <= 250; seed++) {
      const events = recorded(seed);
      length += events.length;
      const verdict = checkTrace(events);
      if (!verdict.accepted) throw new Error(`seed ${seed} at ${verdict.at}: ${verdict.because}`);
    }
    expect(length).toBeGreaterThan(50_000);
  });

  test('accepts traces of the production driver in the simulator', async () => {
    for (const seed of [4, 8, 10, 12]) {
      const events: TraceEvent[] = [];
      const trace = (event: TraceEvent) => events.push(event);
      // Snapshots are not part of the model.
      await simulate({ seed, config: { compacts: false }, trace });
      expect(events.length).toBeGreaterThan(20);
      expect({ seed, ...checkTrace(events) }).toEqual({ seed, accepted: true });
    }
  });

  test('reads back what it writes, and skips lines of other logs', () => {
    const events = quiet();
    const text = `{"level":"info"}\n${traceLines(events)}`;
    expect(parseTraceLines(text)).toEqual(events);
    expect(checkTrace(parseTraceLines(text))).toEqual({ accepted: true });
  });

  test('rejects a commit without a majority', () => {
    const events = quiet();
    const at = nth(events, 'Commit');
    const without = events.filter((e, i) => i > at || e.name !== 'ReceiveAppendEntriesResponse');
    expect(checkTrace(without)).toMatchObject({ accepted: false });
    expect(JSON.stringify(checkTrace(without))).toContain('no majority holds');
  });

  test('rejects a leader without votes', () => {
    const events = quiet().filter((event) => event.name !== 'ReceiveRequestVoteResponse');
    expect(JSON.stringify(checkTrace(events))).toContain('no majority gave it their votes');
  });

  test('rejects a message that arrives before its sender’s Ready', () => {
    const events = quiet().filter((event) => event.name !== 'Ready');
    expect(JSON.stringify(checkTrace(events))).toContain('nobody had sent it');
  });

  test('rejects a log that lost its tail in a restart', () => {
    const events = quiet();
    const at = nth(events, 'InitState', 3);
    const event = events[at];
    if (event === undefined) throw new Error('the trace holds no restart');
    events[at] = { ...event, log: event.log - 1 };
    expect(checkTrace(events)).toMatchObject({
      accepted: false,
      at,
      because: 'InitState of node 3: it restarts with less than what it had promised',
    });
  });

  test('rejects a second vote in one term', () => {
    const events = quiet();
    const at = nth(events, 'SendRequestVoteResponse', 1);
    const event = events[at];
    if (event?.msg === undefined) throw new Error('the trace holds no vote');
    const receipt = nth(events, 'ReceiveRequestVoteRequest');
    const request = events[receipt];
    expect(request?.msg?.from).toBe('1');
    events[at] = { ...event, msg: { ...event.msg, to: '3' } };
    expect(JSON.stringify(checkTrace(events))).toContain('nobody asked for this vote');
  });

  test('rejects a forged term, commit index and log length', () => {
    for (const forge of [
      (e: TraceEvent) => ({ ...e, state: { ...e.state, term: e.state.term + 1 } }),
      (e: TraceEvent) => ({ ...e, state: { ...e.state, commit: e.state.commit + 1 } }),
      (e: TraceEvent) => ({ ...e, log: e.log + 1 }),
    ]) {
      const events = quiet();
      const at = nth(events, 'ReceiveAppendEntriesRequest', 2);
      const event = events[at];
      if (event !== undefined) events[at] = forge(event);
      expect(checkTrace(events)).toMatchObject({ accepted: false, at });
    }
  });
});
