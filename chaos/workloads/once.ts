import { z } from 'zod';
import type { OnceInput, OnceOutput } from '../checkers/exactly-once.ts';
import { duration, ratio } from '../scenario/units.ts';
import {
  Actor,
  concludeAs,
  decodeJson,
  encodeJson,
  orAbsent,
  preferVoters,
  runActors,
} from './actor.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(2),
  /** Share of the requests that are sent again after they were acknowledged. */
  repeats: ratio().default(0.5),
  /** Share of the requests that two clients send at the same time. */
  twins: ratio().default(0.25),
  /** Share of the steps that send again what was acknowledged a while ago. */
  late: ratio().default(0.1),
  pause: duration().default(80),
  /** Short: a request without an answer is sent again, elsewhere. */
  timeout: duration().default(1_500),
});

type Parameters = z.output<typeof parameters>;

/** Requests for one secret: as many versions as a secret keeps by itself. */
const REQUESTS_A_KEY = 8;
/** A request that was not answered is sent so often in all. */
const ATTEMPTS_MAX = 8;
/** Acknowledged requests that are kept in mind for later, spread over the run. */
const KEPT_MAX = 40;
/** Of the acknowledged requests one in so many is kept. */
const KEPT_EVERY = 4;

/** Sends writes again with their request ids, through other nodes: what `exactly-once` judges. */
export const once = defineWorkload<Parameters>({
  name: 'once',
  summary: 'writes that are sent again, elsewhere and at once, with the same request id',
  parameters: parameters as z.ZodType<Parameters>,
  async run(work) {
    const senders = new Map<number, Promise<Sender>>();
    await runActors(work, async (actor) => {
      const sender = senders.get(actor.id) ?? Sender.of(work, actor);
      senders.set(actor.id, sender);
      await (await sender).send();
    });
    for (const sender of senders.values()) await (await sender).close();
  },
  conclude(work) {
    const inputs = work.history.entries.map((entry) => entry.input as OnceInput);
    return concludeAs(work, async (actor) => {
      for (const key of new Set(inputs.map((input) => input.key))) await readAll(actor, key);
    });
  },
});

interface Sent {
  readonly key: string;
  readonly request: string;
  readonly requestId: Uint8Array;
}

/** One client and its twin, who speaks to another node first and is recorded as another client. */
class Sender {
  readonly #work: Work<Parameters>;
  readonly #actor: Actor;
  readonly #twin: Actor;
  readonly #kept: Sent[] = [];
  #count = 0;

  static async of(work: Work<Parameters>, actor: Actor): Promise<Sender> {
    const client = await work.cluster.client(preferVoters(work)(actor.id + 1));
    const id = work.parameters.clients + 1 + actor.id;
    return new Sender(work, actor, new Actor(work, { id, client, random: actor.random }));
  }

  private constructor(work: Work<Parameters>, actor: Actor, twin: Actor) {
    this.#work = work;
    this.#actor = actor;
    this.#twin = twin;
  }

  /** One request, as often as chance has it, and until it is answered. */
  async send(): Promise<void> {
    const { random, id } = this.#actor;
    const { label, parameters } = this.#work;
    const chance = (share: number) => random.below(1_000) / 1_000 < share;
    const old = chance(parameters.late) ? this.#kept[random.below(this.#kept.length)] : undefined;
    if (old !== undefined) return void (await attempt(this.#twin, old));
    const number = this.#count++;
    const sent: Sent = {
      key: `${label}-${id}-${Math.floor(number / REQUESTS_A_KEY)}`,
      request: `${id}-${number}`,
      requestId: random.bytes(16),
    };
    const [isTwin, isRepeated] = [chance(parameters.twins), chance(parameters.repeats)];
    const twins = isTwin ? [this.#actor, this.#twin] : [this.#actor];
    const answers = await Promise.all(twins.map((actor) => attempt(actor, sent)));
    let isAnswered = answers.some((answer) => answer !== undefined);
    for (let tries = 1; !isAnswered && tries < ATTEMPTS_MAX; tries++)
      isAnswered = (await attempt(tries % 2 === 0 ? this.#actor : this.#twin, sent)) !== undefined;
    if (isRepeated) await attempt(this.#twin, sent);
    if (isAnswered && number % KEPT_EVERY === 0) this.#keep(sent);
  }

  /** Some stay for long: what a node only had in memory is forgotten when they are sent again. */
  #keep(sent: Sent): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(sent);
    else this.#kept[this.#actor.random.below(KEPT_MAX)] = sent;
  }

  close(): Promise<void> {
    return this.#twin.client.close();
  }
}

function attempt(actor: Actor, { key, request, requestId }: Sent): Promise<OnceOutput | undefined> {
  const data = encodeJson({ request });
  return actor.act({
    effect: 'write',
    input: { kind: 'put', key, request } satisfies OnceInput,
    call: async (options): Promise<OnceOutput> => {
      const { version, revision } = await actor.client.call(
        'kv.put',
        { mount: 'secret', path: key, data },
        { ...options, requestId },
      );
      return { kind: 'put', version: version?.version ?? 0, revision };
    },
  });
}

function readAll(actor: Actor, key: string): Promise<OnceOutput | undefined> {
  const place = { mount: 'secret', path: key };
  return actor.act({
    effect: 'read',
    input: { kind: 'read', key } satisfies OnceInput,
    call: async (options): Promise<OnceOutput> => {
      const about = await orAbsent(actor.client.call('kv.getMetadata', place, options), undefined);
      const requests: string[] = [];
      for (const { version } of about?.versions ?? []) {
        const one = { ...place, version };
        const { data } = await actor.client.call('kv.get', one, options);
        requests.push(String((decodeJson(data) as { readonly request: unknown }).request));
      }
      return { kind: 'versions', requests, current: about?.currentVersion ?? 0 };
    },
  });
}
