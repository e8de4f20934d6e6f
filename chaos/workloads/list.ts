import { z } from 'zod';
import { hasCode } from '../../src/lib/index.ts';
import type { ListInput, ListOutput } from '../checkers/list-entries.ts';
import { duration, ratio } from '../scenario/units.ts';
import { type Actor, concludeAs, decodeJson, encodeJson, orAbsent, runActors } from './actor.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(3),
  /** Lists that are used at a time. */
  keys: z.int().min(1).max(100).default(3),
  /** Appends to one list; then another takes its place. A read tells the whole list. */
  length: z.int().min(1).max(1_000).default(60),
  /** Share of reads. */
  reads: ratio().default(0.4),
  pause: duration().default(50),
  timeout: duration().default(10_000),
});

type Parameters = z.output<typeof parameters>;

/** Elements appended to lists that are read whole: what `list-append` judges. */
export const list = defineWorkload<Parameters>({
  name: 'list',
  summary: 'elements appended to lists, which are read whole',
  parameters: parameters as z.ZodType<Parameters>,
  run: (work) => runActors(work, stepOf(work)),
  conclude(work) {
    const inputs = work.history.entries.map((entry) => entry.input as ListInput);
    return concludeAs(work, async (actor) => {
      for (const key of new Set(inputs.map((input) => input.key))) await read(actor, key);
    });
  },
});

function stepOf({ label, parameters: wanted }: Work<Parameters>) {
  const appended = Array.from({ length: wanted.keys }, () => 0);
  return (actor: Actor): Promise<unknown> => {
    const slot = actor.random.below(wanted.keys);
    const count = appended[slot] ?? 0;
    const key = `${label}-${slot}-${Math.floor(count / wanted.length)}`;
    if (actor.random.below(1_000) / 1_000 < wanted.reads) return read(actor, key);
    appended[slot] = count + 1;
    // Never a number alone: an object in JSON keeps its fields in the order of their making then.
    return append(actor, key, `e${actor.id}-${actor.count}`);
  };
}

/**
 * A merge patch that adds a field: atomic at the node, and the object keeps its fields in the order
 * of their making, so that it is a list. The first append makes the object.
 */
function append(actor: Actor, key: string, element: string): Promise<ListOutput | undefined> {
  const request = { mount: 'secret', path: key, data: encodeJson({ [element]: 1 }) };
  return actor.act({
    effect: 'write',
    input: { kind: 'append', key, element },
    call: async (options): Promise<ListOutput> => {
      const { client } = actor;
      const patch = () => client.call('kv.patch', request, options);
      const create = () => client.call('kv.put', { ...request, cas: 0 }, options);
      const answer = (await orAbsent(patch(), undefined)) ?? (await create().catch(refused(patch)));
      return { kind: 'appended', length: answer.version?.version ?? 0, revision: answer.revision };
    },
  });
}

/** Another client has made the object meanwhile. */
function refused<T>(instead: () => Promise<T>) {
  return (error: unknown): Promise<T> => {
    if (hasCode(error, 'kv.check-and-set-mismatch')) return instead();
    throw error;
  };
}

function read(actor: Actor, key: string): Promise<ListOutput | undefined> {
  const request = { mount: 'secret', path: key };
  return actor.act({
    effect: 'read',
    input: { kind: 'read', key },
    call: async (options): Promise<ListOutput> => {
      const answer = await orAbsent(actor.client.call('kv.get', request, options), undefined);
      // A refusal tells no revision.
      if (answer === undefined) return { kind: 'list', elements: [], revision: 0 };
      const elements = Object.keys(decodeJson(answer.data) as object);
      return { kind: 'list', elements, revision: answer.revision };
    },
  });
}
