import type { CallName } from './load/calls.ts';
import { median } from './measure.ts';
import { type EtcdCluster, startEtcd } from './peers/etcd.ts';
import { type StrongroomCluster, startStrongroom } from './peers/strongroom.ts';
import type { Cell, Sample } from './report.ts';
import { runLoad } from './run-load.ts';

interface Case {
  readonly name: string;
  readonly generator: 'unary' | 'pipelined';
  readonly ours: CallName;
  readonly peer: CallName;
  readonly at: 'leader' | 'replica';
  readonly consistency: string | undefined;
  /** Least ratio that we mean to reach at 64 in flight. */
  readonly goal: number | undefined;
}

const cases: readonly Case[] = [
  {
    name: 'put, unary',
    generator: 'unary',
    ours: 'strongroom.put',
    peer: 'etcd.put',
    at: 'leader',
    consistency: undefined,
    goal: 0.6,
  },
  {
    name: 'put, pipelined',
    generator: 'pipelined',
    ours: 'strongroom.put',
    peer: 'etcd.put',
    at: 'leader',
    consistency: undefined,
    goal: 1,
  },
  {
    name: 'get, linearizable',
    generator: 'unary',
    ours: 'strongroom.get',
    peer: 'etcd.get',
    at: 'leader',
    consistency: undefined,
    goal: 0.5,
  },
  {
    name: 'get, pipelined',
    generator: 'pipelined',
    ours: 'strongroom.get',
    peer: 'etcd.get',
    at: 'leader',
    consistency: undefined,
    goal: undefined,
  },
  {
    name: 'get, replica',
    generator: 'unary',
    ours: 'strongroom.get',
    peer: 'etcd.get-serializable',
    at: 'replica',
    consistency: 'eventual',
    goal: undefined,
  },
];

const KEYS = 10_000;
const VALUE_BYTES = 256;
/** Of each case before it is measured: a node's compiler is at work for its first ten thousand calls. */
const WARM_SECONDS = 4;

export interface ThroughputOptions {
  readonly inFlight: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  readonly only: string | undefined;
  readonly say: (text: string) => void;
}

/** Both systems side by side on this machine, one loaded at a time, turn by turn. */
export async function measureThroughput(options: ThroughputOptions): Promise<readonly Cell[]> {
  await using etcd = await startEtcd(23_790);
  const chosen = cases.filter(
    (one) => options.only === undefined || one.name.includes(options.only),
  );
  const cells: Cell[] = [];
  // Three nodes beside three nodes: a read replica applies every write too, and etcd has none.
  for (const replicas of [0, 1]) {
    const group = chosen.filter((one) => (one.at === 'replica') === replicas > 0);
    if (group.length === 0) continue;
    await using ours = await startStrongroom({ basePort: 24_200, replicas });
    await fill(etcd, ours, options.seconds);
    cells.push(...(await measureCases(etcd, ours, group, options)));
  }
  return cells;
}

async function measureCases(
  etcd: EtcdCluster,
  ours: StrongroomCluster,
  group: readonly Case[],
  options: ThroughputOptions,
): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const one of group) {
    await loadOurs(ours, one, 64, WARM_SECONDS);
    for (const inFlight of options.inFlight) {
      const rounds: { ours: Sample; peer: Sample }[] = [];
      for (let round = 0; round < options.rounds; round++) {
        const peer = await loadEtcd(etcd, one, inFlight, options.seconds);
        const mine = await loadOurs(ours, one, inFlight, options.seconds);
        rounds.push({ ours: mine, peer });
        options.say(
          `${one.name} @${inFlight}: ${Math.round(mine.perSecond)}/s beside ${Math.round(peer.perSecond)}/s`,
        );
      }
      cells.push({
        name: one.name,
        inFlight,
        ours: middle(rounds.map((round) => round.ours)),
        peer: middle(rounds.map((round) => round.peer)),
        ratio: median(rounds.map((round) => round.ours.perSecond / round.peer.perSecond)),
        goal: inFlight === 64 ? one.goal : undefined,
      });
    }
  }
  return cells;
}

/** Reads must find something, and the compilers must be warm. */
async function fill(etcd: EtcdCluster, ours: StrongroomCluster, seconds: number): Promise<void> {
  const [put] = cases;
  if (put === undefined) return;
  await loadEtcd(etcd, put, 64, seconds);
  // The whole key range, in order: the generator counts keys up from wherever it starts.
  const fillCase: Case = { ...put, generator: 'pipelined' };
  for (let done = 0; done < KEYS * 1.5; ) {
    const sample = await loadOurs(ours, fillCase, 256, 5);
    done += sample.perSecond * 5;
  }
}

function loadEtcd(
  etcd: EtcdCluster,
  one: Case,
  inFlight: number,
  seconds: number,
): Promise<Sample> {
  return runLoad(
    'unary',
    {
      urls: etcd.urls.slice(0, 1),
      call: one.peer,
      inFlight,
      seconds,
      warmupSeconds: 1,
      connections: Math.min(4, inFlight),
      headers: {},
      keys: KEYS,
      valueBytes: VALUE_BYTES,
    },
    etcd.pids,
  );
}

async function loadOurs(
  ours: StrongroomCluster,
  one: Case,
  inFlight: number,
  seconds: number,
): Promise<Sample> {
  const node = one.at === 'leader' ? await ours.leader() : ours.replicas[0];
  if (node === undefined) throw new Error('The local cluster has no replica');
  return runLoad(
    one.generator,
    {
      urls: [`http://${node.grpcAddress}`],
      call: one.ours,
      inFlight,
      seconds,
      warmupSeconds: 1,
      connections: Math.min(4, inFlight),
      headers: {
        authorization: `Bearer ${ours.token}`,
        ...(one.consistency === undefined ? {} : { 'x-strongroom-consistency': one.consistency }),
      },
      keys: KEYS,
      valueBytes: VALUE_BYTES,
    },
    ours.pids,
  );
}

function middle(samples: readonly Sample[]): Sample {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick));
  return {
    perSecond: of((sample) => sample.perSecond),
    p50Ms: of((sample) => sample.p50Ms),
    p99Ms: of((sample) => sample.p99Ms),
    serverCpuUs: of((sample) => sample.serverCpuUs),
    clientCpuUs: of((sample) => sample.clientCpuUs),
    errors: of((sample) => sample.errors),
  };
}
