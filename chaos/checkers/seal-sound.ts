import type { VaultClient } from '../grounds/ground.ts';
import { nodeAddresses } from '../grounds/node-addresses.ts';
import { sleep } from '../grounds/sleep.ts';
import type { Checker, Evidence, Judgement } from './checker.ts';
import { violation } from './entries.ts';

/** A node proves every half minute that it could unseal itself; a slot is sealed anew as often. */
const SETTLED_MS = 75_000;
const LOOK_MS = 1_000;
const CALL_MS = 10_000;

/** What one node says of the seal. */
export interface SealFacts {
  readonly name: string;
  readonly state: string;
  readonly rootId: string;
  readonly epoch: number;
  readonly restartReady: boolean;
  readonly slots: readonly {
    readonly name: string;
    readonly kind: string;
    readonly health: string;
  }[];
}

/** Asks every node for its seal, until all is well or it has been waited for long enough. */
export const sealSound: Checker = {
  name: 'seal-sound',
  summary: 'every node is open, could open itself again, and has the same root and epoch',
  judges: [],
  async check({ cluster, signal }: Evidence): Promise<Judgement> {
    const client = await cluster.client();
    try {
      const addresses = await nodeAddresses(client);
      const names = cluster.nodes.map((node) => node.name);
      const deadline = cluster.clock.monotonicMs() + SETTLED_MS;
      for (;;) {
        const facts = await Promise.all(
          names.map((name) => factsOf(client, name, addresses.get(name))),
        );
        const judgement = judgeSeals(facts);
        const isOver = signal.aborted || cluster.clock.monotonicMs() > deadline;
        if (judgement.kind === 'ok' || isOver) return judgement;
        await sleep(cluster.clock, LOOK_MS, signal);
      }
    } finally {
      await client.close();
    }
  },
};

export function judgeSeals(nodes: readonly SealFacts[]): Judgement {
  const [first] = nodes;
  if (first === undefined) return { kind: 'undecided', because: 'there are no nodes' };
  for (const one of nodes) {
    const { name, state, restartReady, slots } = one;
    if (state !== 'unsealed') return violation(`${name} is ${state}`);
    if (!restartReady) return violation(`${name} could not open itself after a restart`);
    // Shares are with people: nobody can prove that they still have them.
    const ill = slots.find((slot) => slot.kind !== 'shamir' && slot.health !== 'ok');
    if (ill !== undefined) return violation(`slot ${ill.name} is ${ill.health} at ${name}`);
    if (one.rootId !== first.rootId)
      return violation(`${first.name} and ${name} are under different roots`);
    if (one.epoch !== first.epoch)
      return violation(`${first.name} and ${name} are in epochs ${first.epoch} and ${one.epoch}`);
  }
  return {
    kind: 'ok',
    about: `${nodes.length} nodes under one root in epoch ${first.epoch}, each could open itself`,
  };
}

async function factsOf(
  client: VaultClient,
  name: string,
  address: string | undefined,
): Promise<SealFacts> {
  const silent = { name, state: 'silent', rootId: '', epoch: 0, restartReady: false, slots: [] };
  try {
    const options = { address, timeoutMs: CALL_MS };
    const answer = await client.call('seal.status', {}, options);
    const own = answer.nodes.find((one) => one.node === answer.node);
    return {
      name,
      state: answer.state,
      rootId: answer.rootId,
      epoch: answer.keyringEpoch,
      restartReady: own?.restartReady ?? false,
      slots: own?.slots ?? answer.slots,
    };
  } catch {
    return silent;
  }
}
