import { z } from 'zod';
import { hasCode } from '../../src/lib/index.ts';
import type { SetInput, SetOutput } from '../checkers/set-elements.ts';
import { duration, ratio } from '../scenario/units.ts';
import { type Actor, concludeAs, encodeJson, runActors } from './actor.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(3),
  /** Elements of one set; then the next is begun. A read tells all of one set. */
  elements: z.int().min(1).max(1_000).default(100),
  /** Share of reads. */
  reads: ratio().default(0.2),
  /** Share of the changes that take an element away again. */
  removes: ratio().default(0.3),
  pause: duration().default(50),
  timeout: duration().default(10_000),
});

type Parameters = z.output<typeof parameters>;
type Change = Extract<SetInput, { readonly kind: 'add' | 'remove' }>;

/** Adds and removes the names below a folder, and lists it: what `set-elements` judges. */
export const set = defineWorkload<Parameters>({
  name: 'set',
  summary: 'elements added to, removed from and listed in folders',
  parameters: parameters as z.ZodType<Parameters>,
  run(work) {
    const step = stepOf(work);
    return runActors(work, step);
  },
  conclude(work) {
    const inputs = work.history.entries.map((entry) => entry.input as SetInput);
    return concludeAs(work, async (actor) => {
      for (const name of new Set(inputs.map((input) => input.set))) await read(actor, name);
    });
  },
});

function stepOf({ label, parameters: { reads, removes, elements } }: Work<Parameters>) {
  let added = 0;
  /** Of each client, what it was told to be there and did not remove. */
  const own = new Map<number, Change[]>();
  return async (actor: Actor): Promise<void> => {
    const chance = () => actor.random.below(1_000) / 1_000;
    const current = `${label}-${Math.floor(added / elements)}`;
    const there = own.get(actor.id) ?? [];
    own.set(actor.id, there);
    if (chance() < reads) return void (await read(actor, current));
    if (chance() < removes && there.length > 0) {
      const [victim] = there.splice(actor.random.below(there.length), 1);
      if (victim !== undefined) await change(actor, { ...victim, kind: 'remove' });
      return;
    }
    added++;
    const addition: Change = { kind: 'add', set: current, element: `${actor.id}-${actor.count}` };
    const output = await change(actor, addition);
    // Only the newest are removed again: what is remembered stays bounded.
    if (output?.kind === 'done') there.splice(0, Math.max(0, there.push(addition) - elements));
  };
}

function change(actor: Actor, input: Change): Promise<SetOutput | undefined> {
  const place = { mount: 'secret', path: `${input.set}/${input.element}` };
  return actor.act({
    effect: 'write',
    input,
    call: async (options): Promise<SetOutput> => {
      try {
        const { revision } =
          input.kind === 'add'
            ? await actor.client.call('kv.put', { ...place, data: encodeJson({}), cas: 0 }, options)
            : await actor.client.call('kv.deleteMetadata', place, options);
        return { kind: 'done', revision };
      } catch (error) {
        if (hasCode(error, 'kv.check-and-set-mismatch')) return { kind: 'there' };
        throw error;
      }
    },
  });
}

function read(actor: Actor, name: string): Promise<SetOutput | undefined> {
  const request = { mount: 'secret', path: name, limit: 1_000 };
  return actor.act({
    effect: 'read',
    input: { kind: 'read', set: name },
    call: async (options): Promise<SetOutput> => {
      const { names, revision } = await actor.client.call('kv.list', request, options);
      return { kind: 'elements', elements: names, revision };
    },
  });
}
