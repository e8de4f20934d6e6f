import { z } from 'zod';
import type { WatchInput, WatchOutput } from '../checkers/watch-complete.ts';
import { duration, ratio } from '../scenario/units.ts';
import { type Actor, encodeJson, preferVoters, runActors, withActors } from './actor.ts';
import { Watcher } from './watcher.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  /** Who write, each below a path of its own. */
  clients: z.int().min(1).max(50).default(2),
  watchers: z.int().min(1).max(50).default(2),
  keys: z.int().min(1).max(1_000).default(5),
  /** Share of the changes that delete what was just put. */
  deletes: ratio().default(0.2),
  /** A watcher breaks off about so often, and resumes. */
  breaks: duration().default(4_000),
  pause: duration().default(50),
  timeout: duration().default(10_000),
});

type Parameters = z.output<typeof parameters>;

/** How long the last changes may take to be told, when all is healed. */
const CATCH_UP_MS = 15_000;

/** Changes, and clients that watch them from every region: what `watch-complete` judges. */
export const watch = defineWorkload<Parameters>({
  name: 'watch',
  summary: 'changes below a path, and watchers of them that break off and resume',
  parameters: parameters as z.ZodType<Parameters>,
  async run(work) {
    const isOver = () => work.signal.aborted;
    await Promise.all([
      runActors(work, writerOf(work)),
      withActors(work, watcherIds(work), whereToWatch(work), (actor) =>
        new Watcher(work, actor).watch(isOver),
      ),
    ]);
  },
  conclude(work) {
    const { clock } = work.cluster;
    const deadlineMs = clock.monotonicMs() + CATCH_UP_MS;
    return withActors(work, watcherIds(work), whereToWatch(work), async (actor) => {
      const watcher = new Watcher(work, actor);
      const end = await watcher.newest();
      await watcher.watch(() => watcher.told >= end || clock.monotonicMs() > deadlineMs);
    });
  },
});

function watcherIds({ parameters: { clients, watchers } }: Work<Parameters>): readonly number[] {
  // One more than the clients is who reads at the end of other workloads.
  return Array.from({ length: watchers }, (_, at) => clients + 1 + at);
}

/** Every other one in a region with replicas, when there is one; the rest at one voter each. */
function whereToWatch(work: Work<Parameters>) {
  const replicas = work.cluster.nodes.filter((node) => node.kind === 'replica');
  const prefer = preferVoters(work);
  return (id: number) => {
    const replica = replicas[(id >> 1) % Math.max(1, replicas.length)];
    return replica === undefined || id % 2 === 0 ? prefer(id) : { region: replica.region };
  };
}

function writerOf({ label, parameters: wanted }: Work<Parameters>) {
  /** What each client has put last and can delete: it is there for certain. */
  const there = new Map<number, Put>();
  return async (actor: Actor): Promise<void> => {
    const own = there.get(actor.id);
    there.delete(actor.id);
    if (own !== undefined && actor.random.below(1_000) / 1_000 < wanted.deletes) {
      await remove(actor, own);
      return;
    }
    const path = `${label}/${actor.id}/${actor.random.below(wanted.keys)}`;
    const output = await put(actor, path);
    if (output?.kind === 'changed') there.set(actor.id, { path, version: output.version });
  };
}

interface Put {
  readonly path: string;
  readonly version: number;
}

function put(actor: Actor, path: string): Promise<WatchOutput | undefined> {
  const request = { mount: 'secret', path, data: encodeJson({}) };
  return actor.act({
    effect: 'write',
    input: { kind: 'put', path } satisfies WatchInput,
    call: async (options): Promise<WatchOutput> => {
      const { version, revision } = await actor.client.call('kv.put', request, options);
      return { kind: 'changed', version: version?.version ?? 0, revision };
    },
  });
}

/** Deletes the version that it has put: an event tells of that one. */
function remove(actor: Actor, { path, version }: Put): Promise<WatchOutput | undefined> {
  return actor.act({
    effect: 'write',
    input: { kind: 'delete', path } satisfies WatchInput,
    call: async (options): Promise<WatchOutput> => {
      const place = { mount: 'secret', path };
      const { revision } = await actor.client.call('kv.delete', place, options);
      return { kind: 'changed', version, revision };
    },
  });
}
