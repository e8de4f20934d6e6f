import { z } from 'zod';
import type { TokenInput, TokenOutput } from '../checkers/token-lifetimes.ts';
import { nodeAddresses } from '../grounds/node-addresses.ts';
import { duration, ratio } from '../scenario/units.ts';
import { Actor, isDenied, orAbsent, runActors } from './actor.ts';
import { defineWorkload, type Work } from './workload.ts';

const parameters = z.strictObject({
  clients: z.int().min(1).max(50).default(2),
  /** A node may honour a revoked token for so long, when asked for what it has: its own bound. */
  staleness: duration().default(10_000),
  /** Between the clocks of the nodes and of the clients. */
  slack: duration().default(1_000),
  /** Share of the uses that try what no policy of the token allows. */
  trespasses: ratio().default(0.1),
  /** How long a use waits for the one node that it asks. */
  probe: duration().default(1_000),
  pause: duration().default(60),
  timeout: duration().default(10_000),
});

type Parameters = z.output<typeof parameters>;

/** Makes, uses and revokes tokens, with children, at each node: what `token-lifetimes` judges. */
export const tokens = defineWorkload<Parameters>({
  name: 'tokens',
  summary: 'tokens made, used at every node and revoked, with children, few uses and short lives',
  parameters: parameters as z.ZodType<Parameters>,
  async prepare({ cluster, label }) {
    const client = await cluster.client();
    const policy = JSON.stringify({ path: { 'auth/token/create': { capabilities: ['update'] } } });
    await client.call('policy.put', { name: label, policy });
    await client.close();
  },
  run(work) {
    const holders = new Map<number, Promise<TokenHolder>>();
    return runActors(work, async (actor) => {
      const known = holders.get(actor.id) ?? TokenHolder.of(work, actor);
      holders.set(actor.id, known);
      await (await known).step();
    });
  },
});

interface Held {
  readonly name: string;
  readonly token: string;
  readonly parent: string | undefined;
  readonly uses: number;
  /** A use asks for at least this, so that no node refuses it for not having it yet. */
  readonly revision: number;
}

/** Tokens that are kept in mind, alive or ended: the oldest are forgotten. */
const HELD_MAX = 12;
const FEW = 2;
/** Once in so many steps a token is revoked. */
const REVOKE_EVERY = 12;

const LONG_MS = 3_600_000;

/** One client with its tokens. Uses are recorded as another's, since they ask nodes that are down. */
class TokenHolder {
  readonly #work: Work<Parameters>;
  readonly #maker: Actor;
  readonly #user: Actor;
  readonly #addresses: ReadonlyMap<string, string>;
  readonly #alive: Held[] = [];
  readonly #ended: Held[] = [];
  /** Those with a short life. */
  readonly #brief: Held[] = [];

  static async of(work: Work<Parameters>, maker: Actor): Promise<TokenHolder> {
    return new TokenHolder(work, maker, await nodeAddresses(maker.client));
  }

  private constructor(
    work: Work<Parameters>,
    maker: Actor,
    addresses: ReadonlyMap<string, string>,
  ) {
    const { client, random } = maker;
    this.#work = work;
    this.#maker = maker;
    this.#user = new Actor(work, { id: work.parameters.clients + 1 + maker.id, client, random });
    this.#addresses = addresses;
  }

  async step(): Promise<void> {
    const { random } = this.#maker;
    const { trespasses } = this.#work.parameters;
    if (this.#alive.length < 3 || random.below(8) === 0) return this.#create();
    if (random.below(REVOKE_EVERY) === 0) return this.#revoke();
    const lists = [
      this.#alive,
      this.#ended,
      // A few of them, so that each is used before its end, about its end and after it.
      this.#brief.slice(-FEW),
      this.#alive.filter((one) => one.uses > 0).slice(-FEW),
    ];
    const held = lists[random.below(lists.length)] ?? [];
    const chosen = held[random.below(Math.max(1, held.length))];
    if (chosen === undefined) return;
    // A use would be taken, whatever is tried.
    const mayTrespass = chosen.uses === 0 && trespasses > 0;
    if (mayTrespass && random.below(1_000) / 1_000 < trespasses) await this.#trespass(chosen);
    else await this.#use(chosen);
  }

  async #create(): Promise<void> {
    const { random, client } = this.#maker;
    const parents = this.#alive.filter((one) => one.uses === 0);
    const parent =
      random.below(3) === 0 ? parents[random.below(Math.max(1, parents.length))] : undefined;
    const name = `t${this.#maker.id}-${this.#maker.count}`;
    const uses = random.below(3) === 0 ? 2 + random.below(4) : 0;
    // Whoever may be a parent lives long, so that what ends its children is known.
    const ttlMs = uses === 0 && random.below(3) === 0 ? 1_000 + random.below(3_000) : LONG_MS;
    const { label } = this.#work;
    const input: TokenInput = { kind: 'create', token: name, parent: parent?.name, ttlMs, uses };
    let made: { readonly token: string; readonly revision: number } | undefined;
    await this.#maker.act<TokenOutput>({
      effect: 'write',
      input,
      call: async (options) => {
        const as = parent === undefined ? {} : { token: parent.token };
        const request = { policies: [label], ttlMs, numUses: uses };
        made = await client.call('token.create', request, { ...options, ...as });
        return { kind: 'made' };
      },
    });
    if (made === undefined) return;
    const { token, revision } = made;
    const held = { name, token, parent: parent?.name, uses, revision };
    if (ttlMs < LONG_MS) keep(this.#brief, held);
    keep(ttlMs === LONG_MS ? this.#alive : this.#ended, held);
  }

  async #revoke(): Promise<void> {
    const { random, client } = this.#maker;
    // Mostly a family: with the parent end its children.
    const families = this.#alive.filter((one) => this.#alive.some(isChildOf(one)));
    const from = families.length > 0 && random.below(4) > 0 ? families : this.#alive;
    const held = from[random.below(from.length)];
    if (held === undefined) return;
    this.#alive.splice(this.#alive.indexOf(held), 1);
    await this.#maker.act<TokenOutput>({
      effect: 'write',
      input: { kind: 'revoke', token: held.name } satisfies TokenInput,
      call: async (options) => {
        await client.call('token.revoke', { token: held.token }, options);
        return { kind: 'revoked' };
      },
    });
    // At once: later, what was left of its children is gone.
    for (const one of this.#bury(held).toReversed()) await this.#use(one, 'linearizable');
  }

  /** @returns it and all below it, which end with it. */
  #bury(held: Held): readonly Held[] {
    keep(this.#ended, held);
    const children = this.#alive.filter(isChildOf(held));
    for (const child of children) this.#alive.splice(this.#alive.indexOf(child), 1);
    return [held, ...children.flatMap((child) => this.#bury(child))];
  }

  /** Reads a secret, which its policy does not allow: there is none, and it must not learn that. */
  async #trespass({ name, token }: Held): Promise<void> {
    const { node, address } = this.#anyNode();
    const path = `${this.#work.label}/${name}`;
    await this.#user.act<TokenOutput>({
      effect: 'read',
      input: { kind: 'trespass', token: name, node } satisfies TokenInput,
      call: async (options) => {
        const { probe: timeoutMs } = this.#work.parameters;
        const asked = { ...options, timeoutMs, token, address };
        const answer = this.#user.client.call('kv.get', { mount: 'secret', path }, asked);
        try {
          await orAbsent(answer, undefined);
          return { kind: 'trespassed' };
        } catch (error) {
          if (isDenied(error)) return { kind: 'denied' };
          throw error;
        }
      },
    });
  }

  #anyNode(): { readonly node: string; readonly address: string | undefined } {
    const { nodes } = this.#work.cluster;
    const node = nodes[this.#user.random.below(nodes.length)]?.name ?? '';
    return { node, address: this.#addresses.get(node) };
  }

  async #use(
    { name, token, uses, revision }: Held,
    wants: 'linearizable' | 'stale' = this.#user.random.below(2) === 0 ? 'linearizable' : 'stale',
  ): Promise<void> {
    const { client } = this.#user;
    const { node, address } = this.#anyNode();
    const consistency =
      wants === 'stale' ? ({ kind: 'at-least', revision } as const) : ({ kind: wants } as const);
    const input: TokenInput = { kind: 'use', token: name, node, wants };
    await this.#user.act<TokenOutput>({
      effect: 'read',
      input,
      // Of a token that is counted, a use that was not answered may have been taken.
      isHarmless: () => uses === 0,
      call: async (options) => {
        const { probe: timeoutMs } = this.#work.parameters;
        const asked = { ...options, timeoutMs, token, consistency, address };
        try {
          await client.call('token.lookupSelf', {}, asked);
          return { kind: 'used' };
        } catch (error) {
          if (isDenied(error)) return { kind: 'denied' };
          throw error;
        }
      },
    });
  }
}

const isChildOf = (parent: Held) => (one: Held) => one.parent === parent.name;

function keep(held: Held[], one: Held): void {
  held.push(one);
  if (held.length > HELD_MAX) held.shift();
}
