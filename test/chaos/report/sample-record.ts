import type { CheckRecord, FaultRecord, RunRecord, Sample } from '../../../chaos/runner/record.ts';
import { numberFrom } from './numbers.ts';

interface Wishes {
  readonly lengthMs?: number;
  readonly everyMs?: number;
  readonly faults?: readonly FaultRecord[];
  readonly checks?: readonly CheckRecord[];
  readonly replicas?: boolean;
}

/** A run of three voters: the leader is lost whenever a fault begins, and another follows a second later. */
export function sampleRecord(wishes: Wishes = {}, changes: Partial<RunRecord> = {}): RunRecord {
  const lengthMs = wishes.lengthMs ?? 20_000;
  const faults = wishes.faults ?? [killAt(6_000, 'voter-1'), killAt(12_000, 'voter-2')];
  const replicas = wishes.replicas === true ? ['west-1', 'south-1'] : [];
  const names = ['voter-1', 'voter-2', 'voter-3', ...replicas];
  const samples: Sample[] = [];
  for (let at = 500; at <= lengthMs; at += wishes.everyMs ?? 500)
    samples.push(sampleAt(at, names, faults));
  return {
    version: 1,
    scenario: {
      name: 'sample',
      title: 'Loss of the leader',
      purpose: 'The leader is killed; clients should notice a short wait and nothing else.',
      file: 'sample.yaml',
      text: 'name: sample\n',
    },
    ground: 'processes',
    seed: 42,
    program: { version: '0.1.0', node: 'v20.0.0' },
    cluster: {
      nodes: names.map((name) => ({
        name,
        kind: name.startsWith('voter') ? ('voter' as const) : ('replica' as const),
        region: name.startsWith('voter') ? 'local' : (name.split('-')[0] ?? ''),
      })),
      seal: 'dev',
      betweenRegions: undefined,
    },
    startedAt: '2026-01-02T03:04:05.678Z',
    phases: [
      { phase: 'start', from: 0, to: 400 },
      { phase: 'steady', from: 400, to: 4_000 },
      { phase: 'timeline', from: 4_000, to: lengthMs - 3_000 },
      { phase: 'settle', from: lengthMs - 3_000, to: lengthMs },
      { phase: 'check', from: lengthMs, to: lengthMs + 200 },
    ],
    faults,
    samples,
    workloads: [
      {
        workload: 'register',
        label: 'register',
        parameters: {},
        history: 'histories/register.ndjson',
        ok: 2_417,
        maybe: 3,
        no: 1,
        errors: { 'raft.no-leader': 4 },
      },
    ],
    steadyState: [{ text: 'leaders == 1', measure: 'leaders', value: 1, holds: true }],
    objectives: [
      {
        text: 'write-recovery after kill max < 4s',
        measure: 'write-recovery',
        value: 1_150,
        holds: true,
      },
      { text: 'error-rate < 1%', measure: 'error-rate', value: 0.0023, holds: true },
    ],
    aborted: undefined,
    checks: wishes.checks ?? [
      { name: 'linearizable', summary: 'one order', kind: 'ok', about: '2417 answered operations' },
    ],
    verdict: { kind: 'passed' },
    ...changes,
  };
}

export function killAt(injectedAt: number, node: string, changes: Partial<FaultRecord> = {}) {
  const fault: FaultRecord = {
    id: `${injectedAt}-kill`,
    fault: 'kill',
    parameters: {},
    nodes: [node],
    injectedAt,
    effectiveAt: injectedAt + 20,
    healedAt: injectedAt + 3_000,
    healthyAt: injectedAt + 3_100,
    recovery: { injection: 1_150, heal: 0 },
  };
  return { ...fault, ...changes };
}

function sampleAt(at: number, names: readonly string[], faults: readonly FaultRecord[]): Sample {
  const hurt = faults.filter((one) => one.injectedAt <= at && at < (one.healthyAt ?? 0));
  const down = new Set(hurt.flatMap((one) => one.nodes));
  const isLeaderless = hurt.some((one) => at - one.injectedAt < 1_000);
  const term = 1 + faults.filter((one) => one.injectedAt + 1_000 <= at).length;
  const leader = isLeaderless ? undefined : names.find((name) => !down.has(name));
  const commit = Math.floor(at / 10);
  const random = numberFrom(at);
  const stats = (rate: number) => {
    if (isLeaderless) return { ok: 0, failed: 2, perSecond: 0 };
    const median = 3 + random * 2;
    const latency = { median, p99: median * (hurt.length > 0 ? 40 : 3), max: median * 50 };
    return { ok: rate / 2, failed: 0, perSecond: rate * (0.9 + random / 5), latency };
  };
  return {
    at,
    writes: stats(90),
    reads: stats(140),
    observation: {
      leader,
      term,
      commit,
      nodes: names.map((name) => {
        const isUp = !down.has(name);
        const role = name === leader ? 'leader' : name.startsWith('voter') ? 'follower' : 'replica';
        return {
          name,
          up: isUp,
          role: isUp ? role : 'unknown',
          term,
          commit,
          applied: isUp ? commit - Math.floor(random * 20) : 0,
          lagMs: role === 'replica' ? 40 + random * (hurt.length > 0 ? 900 : 60) : 0,
          lagEntries: 0,
          seal: isUp ? (at < 1_200 ? 'sealed' : 'unsealed') : 'unknown',
        };
      }),
    },
  };
}

const write = (client: number, calledAt: number, value: string, version: number) => ({
  client,
  effect: 'write' as const,
  input: { kind: 'put', key: 'register-0', value },
  calledAt,
  returnedAt: calledAt + 12,
  outcome: 'ok' as const,
  output: { kind: 'put', version, revision: version * 3 },
});

/** A read that came after two acknowledged writes, and answered with the first. */
export function staleRead(writesBefore = 1): CheckRecord {
  const before = Array.from({ length: writesBefore }, (_, at) =>
    write(at % 3, 5_000 + at * 30, `${at % 3}-${at}`, at + 1),
  );
  const last = 5_000 + writesBefore * 30;
  return {
    name: 'linearizable',
    summary: 'reads and writes of registers fit one order in time (Wing-Gong, Lowe)',
    kind: 'violation',
    because: 'register-0: no order of these operations explains their answers',
    history: [
      ...before,
      write(1, last, '1-newest', writesBefore + 1),
      {
        client: 4,
        effect: 'write',
        input: { kind: 'put', key: 'register-0', value: '4-lost' },
        calledAt: last + 3,
        returnedAt: last + 10_000,
        outcome: 'maybe',
        error: 'client.deadline',
      },
      {
        client: 2,
        effect: 'read',
        input: { kind: 'get', key: 'register-0' },
        calledAt: last + 20,
        returnedAt: last + 24,
        outcome: 'ok',
        output: { kind: 'got', value: '0-0', version: 1, revision: 3 },
      },
    ],
    impossible: writesBefore + 2,
  };
}
