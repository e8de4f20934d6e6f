import { expect, test } from 'vitest';
import { checkLinearizability } from '../../chaos/linearizability/checker.ts';
import { HistoryRecorder } from '../../chaos/linearizability/history.ts';
import {
  type SecretInput,
  type SecretOutput,
  secretModel,
} from '../../chaos/linearizability/secret-model.ts';
import type { StrongroomClient } from '../../src/client/index.ts';
import { hasCode, SeededRandom, StrongroomError } from '../../src/lib/index.ts';
import { TestCluster } from '../harness/cluster.ts';

const CLIENTS = 6;
const KEYS = 3;
const ROUNDS = 8;
const ROUND_MS = 1_500;

/** What is done to the cluster in one round, and how it is undone. */
type Fault = (cluster: TestCluster, random: SeededRandom) => Promise<() => Promise<void>>;

const anyNode = (cluster: TestCluster, random: SeededRandom) =>
  1 + random.below(cluster.nodes.length);

const faults: readonly (readonly [string, Fault])[] = [
  [
    'kill',
    async (cluster, random) => {
      const node = cluster.node(anyNode(cluster, random));
      await node.stop('SIGKILL');
      return async () => void (await node.start());
    },
  ],
  [
    'pause',
    (cluster, random) => {
      const node = cluster.node(anyNode(cluster, random));
      node.signal('SIGSTOP');
      return Promise.resolve(() => Promise.resolve(node.signal('SIGCONT')));
    },
  ],
  [
    'partition',
    (cluster, random) => {
      cluster.partition([anyNode(cluster, random)]);
      return Promise.resolve(() => Promise.resolve(cluster.heal()));
    },
  ],
];

test('what clients saw of three real processes under kills, pauses and partitions is linearizable', {
  timeout: 180_000,
}, async () => {
  await using cluster = await TestCluster.start({ voters: 3, proxied: true });
  const random = new SeededRandom(20_261_124);
  const recorder = new HistoryRecorder<SecretInput, SecretOutput>();
  const running = { yes: true };
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, id) => {
      // Each speaks to one node first, so that every node is asked during every fault.
      const addresses = [...cluster.addresses.slice(id % 3), ...cluster.addresses.slice(0, id % 3)];
      return work(id, await cluster.client({ addresses }), recorder, running);
    }),
  );

  for (let round = 0; round < ROUNDS; round++) {
    const [, fault] = faults[round % faults.length] ?? [];
    const undo = await fault?.(cluster, random);
    await pause(ROUND_MS);
    await undo?.();
    await pause(ROUND_MS / 2);
  }
  running.yes = false;
  await Promise.all(clients.map((client) => client.done));

  const answered = recorder.operations.filter((one) => one.output !== undefined);
  expect(answered.length).toBeGreaterThan(500);
  expect(checkLinearizability(secretModel, recorder.operations)).toEqual({ kind: 'linearizable' });
});

/** Puts and gets on a few keys, one after the other, until told to end. */
function work(
  id: number,
  client: StrongroomClient,
  recorder: HistoryRecorder<SecretInput, SecretOutput>,
  running: { readonly yes: boolean },
): { readonly done: Promise<void> } {
  const random = new SeededRandom(id + 1);
  const loop = async () => {
    for (let count = 0; running.yes; count++) {
      const key = `key-${random.below(KEYS)}`;
      const input: SecretInput =
        random.below(2) === 0
          ? { kind: 'get', key }
          : { kind: 'put', key, value: `${id}-${count}` };
      await recorder.run(id, input, () => perform(client, input), classify);
      // Bounds the history: the check costs more than linear time.
      await pause(15);
    }
  };
  return { done: loop() };
}

async function perform(client: StrongroomClient, input: SecretInput): Promise<SecretOutput> {
  const place = { mount: 'secret', path: input.key };
  if (input.kind === 'put') {
    const data = new TextEncoder().encode(JSON.stringify({ value: input.value }));
    const answer = await client.call('kv.put', { ...place, data }, { timeoutMs: 10_000 });
    const version = answer['version'] as { version: number };
    return { kind: 'put', version: version.version, revision: Number(answer['revision']) };
  }
  try {
    const answer = await client.call('kv.get', place, { timeoutMs: 10_000 });
    const version = answer['version'] as { version: number };
    const data = JSON.parse(new TextDecoder().decode(answer['data'] as Uint8Array)) as {
      value: string;
    };
    return {
      kind: 'got',
      value: data.value,
      version: version.version,
      revision: Number(answer['revision']),
    };
  } catch (error) {
    if (error instanceof StrongroomError && error.traits.grpc === 'NOT_FOUND')
      return { kind: 'absent', revision: 0 };
    throw error;
  }
}

function classify(error: unknown): 'maybe' | 'never' {
  return hasCode(error, 'raft.not-leader', 'raft.no-leader', 'request.overloaded')
    ? 'never'
    : 'maybe';
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
