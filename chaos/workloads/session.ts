import { z } from 'zod';
import type { CallOptions } from '../../src/client/index.ts';
import type { SessionInput, SessionOutput } from '../checkers/session-guarantees.ts';
import { duration, ratio } from '../scenario/units.ts';
import { type Actor, addressesOf, encodeJson, orAbsent, preferVoters, runActors } from './actor.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(4),
  /** Share of writes: each client writes one secret of its own. */
  writes: ratio().default(0.25),
  /** All reads are of this kind; absent: of all kinds. A read that waits keeps its client waiting. */
  only: z.enum(['session', 'bounded', 'at-least']).optional(),
  /** What reads of bounded staleness ask for. */
  staleness: duration().default(2_000),
  /**
   * Share of those that ask one node by name and no other: a client turns away from a replica that
   * it has waited for, and would never see that it answers what it should not.
   */
  anywhere: ratio().default(0),
  /** How long those wait for it. */
  probe: duration().default(1_000),
  pause: duration().default(40),
  timeout: duration().default(5_000),
});

type Parameters = z.output<typeof parameters>;
type Wants = Extract<SessionInput, { readonly kind: 'read' }>['wants'];

/** Clients in the replicas' regions that write and read: what `session-guarantees` judges. */
export const session = defineWorkload<Parameters>({
  name: 'session',
  summary: "clients of every region that read their own and others' writes from replicas",
  parameters: parameters as z.ZodType<Parameters>,
  async run(work) {
    const addresses = await addressesOf(work.cluster, work.parameters.anywhere);
    await runActors(work, stepOf(work, addresses), regionOf(work));
  },
});

/** Regions with replicas in turn; without one, each asks another voter. */
function regionOf(work: Work<Parameters>) {
  const replicas = work.cluster.nodes.filter((node) => node.kind === 'replica');
  const prefer = preferVoters(work);
  return (id: number) => {
    const replica = replicas[id % Math.max(1, replicas.length)];
    return replica === undefined ? prefer(id) : { region: replica.region };
  };
}

function stepOf({ label, parameters: wanted }: Work<Parameters>, addresses: readonly string[]) {
  const keyOf = (id: number) => `${label}-${id}`;
  /** The newest revision that any client was told: another's, to ask for. */
  let newest = 0;
  return async (actor: Actor): Promise<void> => {
    const { random } = actor;
    if (random.below(1_000) / 1_000 < wanted.writes) {
      const output = await write(actor, keyOf(actor.id));
      newest = Math.max(newest, output?.revision ?? 0);
      return;
    }
    const all: readonly Wants[] = [
      { kind: 'session' },
      { kind: 'session' },
      { kind: 'bounded', stalenessMs: wanted.staleness },
      { kind: 'at-least', revision: newest },
    ];
    const wants = all.filter(({ kind }) => wanted.only === undefined || kind === wanted.only);
    // Half of the reads are of what this client has written itself.
    const key = keyOf(random.below(2) === 0 ? actor.id : random.below(wanted.clients));
    const chosen: Wants = wants[random.below(wants.length)] ?? { kind: 'session' };
    const isNamed =
      chosen.kind === 'bounded' &&
      addresses.length > 0 &&
      random.below(1_000) / 1_000 < wanted.anywhere;
    const named = isNamed
      ? { address: addresses[random.below(addresses.length)], timeoutMs: wanted.probe }
      : {};
    await read(actor, key, chosen, named);
  };
}

function write(actor: Actor, key: string): Promise<SessionOutput | undefined> {
  const request = { mount: 'secret', path: key, data: encodeJson({}) };
  return actor.act({
    effect: 'write',
    input: { kind: 'write', key },
    call: async (options): Promise<SessionOutput> => {
      const { version, revision } = await actor.client.call('kv.put', request, options);
      return { version: version?.version ?? 0, revision };
    },
  });
}

function read(
  actor: Actor,
  key: string,
  wants: Wants,
  named: Pick<CallOptions, 'address' | 'timeoutMs'>,
): Promise<SessionOutput | undefined> {
  // The client itself adds what it has seen: that is what makes it a session.
  const consistency = wants.kind === 'session' ? ({ kind: 'eventual' } as const) : wants;
  return actor.act({
    effect: 'read',
    input: { kind: 'read', key, wants },
    call: async (options): Promise<SessionOutput> => {
      const answer = await orAbsent(
        actor.client.call(
          'kv.get',
          { mount: 'secret', path: key },
          { ...options, ...named, consistency },
        ),
        undefined,
      );
      return { version: answer?.version?.version ?? 0, revision: answer?.revision ?? 0 };
    },
  });
}
