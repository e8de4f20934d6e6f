import { hasCode, type Random, SeededRandom, StrongroomError } from '../../src/lib/index.ts';
import type { ClientWishes, Cluster, VaultClient } from '../grounds/ground.ts';
import { nodeAddresses } from '../grounds/node-addresses.ts';
import { sleep } from '../grounds/sleep.ts';
import type { Effect } from '../history/history.ts';
import type { Work } from './workload.ts';

/** What every workload's parameters bound. */
export interface ActorBounds {
  readonly clients: number;
  /** Between two operations of a client. */
  readonly pause: number;
  readonly timeout: number;
}

/** Sent with each call of an actor. */
export interface ActorOptions {
  readonly timeoutMs: number;
  readonly correlationId: string;
}

/** One operation: what is recorded of it, and how it is done. */
export interface Act<Output> {
  readonly effect: Effect;
  readonly input: unknown;
  readonly call: (options: ActorOptions) => Promise<Output>;
  readonly isHarmless?: (error: unknown) => boolean;
}

/** A client of a workload: does one thing at a time, and all that it does is recorded. */
export class Actor {
  readonly id: number;
  readonly client: VaultClient;
  readonly random: Random;
  readonly #work: Work<Pick<ActorBounds, 'timeout'>>;
  readonly #name: string;
  #count = 0;

  constructor(
    work: Work<Pick<ActorBounds, 'timeout'>>,
    parts: { readonly id: number; readonly client: VaultClient; readonly random: Random },
  ) {
    this.#work = work;
    this.id = parts.id;
    this.client = parts.client;
    this.random = parts.random;
    // The time tells runs apart that one long-lived cluster has had.
    this.#name = `${work.label}-${work.cluster.clock.wallMs().toString(36)}-${parts.id}`;
  }

  /** How many operations it has begun: a number of its own for each. */
  get count(): number {
    return this.#count;
  }

  /** @returns its output, undefined when it was not answered. */
  async act<Output>({ call, ...about }: Act<Output>): Promise<Output | undefined> {
    const correlationId = `${this.#name}-${this.#count++}`;
    const options = { timeoutMs: this.#work.parameters.timeout, correlationId };
    const output = await this.#work.history.run({
      client: this.id,
      ...about,
      // A stream is one request, whose audit record tells no end.
      ...(about.effect === 'told' ? {} : { correlationId }),
      call: () => call(options),
    });
    return output as Output | undefined;
  }
}

/** Runs so many clients, each asking another voter first, until the signal; closes them. */
export function runActors<Parameters extends ActorBounds>(
  work: Work<Parameters>,
  step: (actor: Actor) => Promise<unknown>,
  wishes: (id: number) => ClientWishes = preferVoters(work),
): Promise<void> {
  const { cluster, parameters, signal } = work;
  const ids = Array.from({ length: parameters.clients }, (_, id) => id);
  return withActors(work, ids, wishes, async (actor) => {
    while (!signal.aborted) {
      await step(actor);
      await sleep(cluster.clock, parameters.pause, signal);
    }
  });
}

/** Opens clients with these numbers, has each do its work, and closes it. */
export async function withActors(
  work: Work<Pick<ActorBounds, 'timeout'>>,
  ids: readonly number[],
  wishes: (id: number) => ClientWishes,
  live: (actor: Actor) => Promise<unknown>,
): Promise<void> {
  // Drawn before anything is waited for: in the same order in every run of a seed.
  const seeds = ids.map(() => work.random.below(2 ** 32));
  await Promise.all(
    ids.map(async (id, at) => {
      const random = new SeededRandom(seeds[at] ?? 0);
      const client = await work.cluster.client(wishes(id));
      await live(new Actor(work, { id, client, random }));
      await client.close();
    }),
  );
}

/** Runs one client after the others have ended, for the final reads. */
export function concludeAs<Parameters extends ActorBounds>(
  work: Work<Parameters>,
  live: (actor: Actor) => Promise<unknown>,
): Promise<void> {
  return withActors(work, [work.parameters.clients], () => ({}), live);
}

/** Each speaks to one voter first, so that every one is asked during every fault. */
export function preferVoters({ cluster }: Pick<Work, 'cluster'>) {
  const voters = cluster.nodes.filter((node) => node.kind === 'voter');
  return (id: number) => {
    const prefer = voters[id % voters.length]?.name;
    return prefer === undefined ? {} : { prefer };
  };
}

/** Of all nodes, for reads that ask one by name; none when nobody is to be asked so. */
export async function addressesOf(cluster: Cluster, share: number): Promise<readonly string[]> {
  if (share === 0) return [];
  const client = await cluster.client();
  const addresses = await nodeAddresses(client);
  await client.close();
  return [...addresses.values()];
}

/** The answer, or `absent` when the node says that there is none. */
export async function orAbsent<T, Absent>(answer: Promise<T>, absent: Absent): Promise<T | Absent> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StrongroomError && error.traits.grpc === 'NOT_FOUND') return absent;
    throw error;
  }
}

/** Whether a node refused the token. */
export const isDenied = (error: unknown) =>
  hasCode(error, 'auth.permission-denied', 'auth.bad-token');

export const encodeJson = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

export const decodeJson = (bytes: unknown): unknown =>
  bytes instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
