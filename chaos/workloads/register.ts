import { z } from 'zod';
import type { CallOptions } from '../../src/client/index.ts';
import { hasCode, type Random, StrongroomError } from '../../src/lib/index.ts';
import type { SecretInput, SecretOutput } from '../checkers/linearizability/secret-model.ts';
import type { VaultClient } from '../grounds/ground.ts';
import { duration, ratio } from '../scenario/units.ts';
import { type Actor, addressesOf, concludeAs, decodeJson, encodeJson, runActors } from './actor.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(6),
  keys: z.int().min(1).max(1_000).default(3),
  /** Share of reads. */
  reads: ratio().default(0.5),
  /** Share of the writes that are compare-and-set. */
  cas: ratio().default(0.25),
  /** Share of the reads that ask one node by name, also a replica, and no other. */
  anywhere: ratio().default(0),
  /** How long those wait for it. */
  probe: duration().default(1_000),
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
    const addresses = await addressesOf(work.cluster, work.parameters.anywhere);
    await runActors(work, stepOf(work, addresses));
  },
  conclude: (work) =>
    concludeAs(work, async (actor) => {
      for (let key = 0; key < work.parameters.keys; key++)
        await record(actor, { kind: 'get', key: `${work.label}-${key}` });
    }),
});

function stepOf({ label, parameters: wanted }: Work<Parameters>, addresses: readonly string[]) {
  /** The last version that each client saw of each key: what its compare-and-sets expect. */
  const versions = new Map<string, number>();
  return async (actor: Actor): Promise<void> => {
    const { id, count, random } = actor;
    const key = `${label}-${random.below(wanted.keys)}`;
    const seen = `${id} ${key}`;
    const input = chooseInput(wanted, key, `${id}-${count}`, versions.get(seen), random);
    const isNamed =
      input.kind === 'get' && addresses.length > 0 && random.below(1_000) / 1_000 < wanted.anywhere;
    const named = isNamed
      ? { address: addresses[random.below(addresses.length)], timeoutMs: wanted.probe }
      : {};
    const output = await record(actor, input, named);
    if (output !== undefined && 'version' in output) versions.set(seen, output.version);
  };
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
  actor: Actor,
  input: SecretInput,
  named: Pick<CallOptions, 'address' | 'timeoutMs'> = {},
): Promise<SecretOutput | undefined> {
  return actor.act({
    effect: input.kind === 'put' ? 'write' : 'read',
    input,
    call: (options) => perform(actor.client, input, { ...options, ...named }),
  });
}

async function perform(
  client: VaultClient,
  input: SecretInput,
  options: CallOptions,
): Promise<SecretOutput> {
  const place = { mount: 'secret', path: input.key };
  try {
    if (input.kind === 'put') {
      const data = encodeJson({ value: input.value });
      const cas = input.cas === undefined ? {} : { cas: input.cas };
      const answer = await client.call('kv.put', { ...place, data, ...cas }, options);
      return { kind: 'put', ...versionIn(answer) };
    }
    const answer = await client.call('kv.get', place, options);
    const { value } = decodeJson(answer['data']) as { readonly value: string };
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
