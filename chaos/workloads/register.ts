import { z } from 'zod';
import { hasCode, type Random, SeededRandom, StrongroomError } from '../../src/lib/index.ts';
import type { SecretInput, SecretOutput } from '../checkers/linearizability/secret-model.ts';
import type { VaultClient } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import type { History } from '../history/history.ts';
import { duration, ratio } from '../scenario/units.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(6),
  keys: z.int().min(1).max(1_000).default(3),
  /** Share of reads. */
  reads: ratio().default(0.5),
  /** Share of the writes that are compare-and-set. */
  cas: ratio().default(0.25),
  /** Between two operations of a client: bounds the history, whose check is more than linear. */
  pause: duration().default(15),
  timeout: duration().default(10_000),
});

type Parameters = z.output<typeof parameters>;

/** Reads, writes and compare-and-sets on a few secrets: what the `linearizable` check judges. */
export const register = defineWorkload<Parameters>({
  name: 'register',
  summary: 'reads, writes and compare-and-sets on a few secrets',
  parameters: parameters as z.ZodType<Parameters>,
  async run(work) {
    const { cluster, parameters: wanted, random } = work;
    const voters = cluster.nodes.filter((node) => node.kind === 'voter');
    await Promise.all(
      Array.from({ length: wanted.clients }, async (_, id) => {
        // Each speaks to one node first, so that every node is asked during every fault.
        const prefer = voters[id % voters.length]?.name;
        // Drawn before anything is waited for: in the same order in every run of a seed.
        const chance = new SeededRandom(random.below(2 ** 32));
        const client = await cluster.client(prefer === undefined ? {} : { prefer });
        await workOn(work, { id, client, random: chance });
      }),
    );
  },
  async conclude(work) {
    const client = await work.cluster.client();
    for (let key = 0; key < work.parameters.keys; key++)
      await record(work, work.parameters.clients, client, {
        kind: 'get',
        key: `${work.label}-${key}`,
      });
    await client.close();
  },
});

interface Actor {
  readonly id: number;
  readonly client: VaultClient;
  readonly random: Random;
}

async function workOn(work: Work<Parameters>, { id, client, random }: Actor): Promise<void> {
  const { cluster, parameters: wanted, signal } = work;
  /** The last version that this client saw of each key: what its compare-and-sets expect. */
  const versions = new Map<string, number>();
  for (let count = 0; !signal.aborted; count++) {
    const key = `${work.label}-${random.below(wanted.keys)}`;
    const input = chooseInput(wanted, key, `${id}-${count}`, versions.get(key), random);
    const output = await record(work, id, client, input);
    if (output !== undefined && 'version' in output) versions.set(key, output.version);
    await sleep(cluster.clock, wanted.pause, signal);
  }
  await client.close();
}

function chooseInput(
  wanted: Parameters,
  key: string,
  value: string,
  version: number | undefined,
  random: Random,
): SecretInput {
  const chance = () => random.below(1_000) / 1_000;
  if (chance() < wanted.reads) return { kind: 'get', key };
  if (version !== undefined && chance() < wanted.cas)
    return { kind: 'put', key, value, cas: version };
  return { kind: 'put', key, value };
}

function record(
  work: Work<Parameters>,
  id: number,
  client: VaultClient,
  input: SecretInput,
): Promise<SecretOutput | undefined> {
  const history = work.history as History<SecretInput, SecretOutput>;
  return history.run({
    client: id,
    effect: input.kind === 'put' ? 'write' : 'read',
    input,
    call: () => perform(client, input, work.parameters.timeout),
  });
}

async function perform(
  client: VaultClient,
  input: SecretInput,
  timeoutMs: number,
): Promise<SecretOutput> {
  const place = { mount: 'secret', path: input.key };
  try {
    if (input.kind === 'put') {
      const data = new TextEncoder().encode(JSON.stringify({ value: input.value }));
      const cas = input.cas === undefined ? {} : { cas: input.cas };
      const answer = await client.call('kv.put', { ...place, data, ...cas }, { timeoutMs });
      return { kind: 'put', ...versionIn(answer) };
    }
    const answer = await client.call('kv.get', place, { timeoutMs });
    const text = new TextDecoder().decode(answer['data'] as Uint8Array);
    const { value } = JSON.parse(text) as { readonly value: string };
    return { kind: 'got', value, ...versionIn(answer) };
  } catch (error) {
    if (hasCode(error, 'kv.check-and-set-mismatch')) return { kind: 'cas-mismatch' };
    if (error instanceof StrongroomError && error.traits.grpc === 'NOT_FOUND')
      return { kind: 'absent', revision: 0 };
    throw error;
  }
}

function versionIn(answer: object): { readonly version: number; readonly revision: number } {
  const { version, revision } = answer as {
    readonly version: { readonly version: number };
    readonly revision: number;
  };
  return { version: version.version, revision: Number(revision) };
}
