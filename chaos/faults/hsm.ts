import { z } from 'zod';
import { duration } from '../scenario/units.ts';
import { defineFault, lever } from './fault.ts';

/** The node that could not open its slot says so, and so does one that lost its agent over it. */
const felt = /A seal slot does not open|HSM agent put away|Waiting to unseal/;
const hsm = { danger: 'disruptive', targets: 'maybe', lasting: true } as const;

/** Without "on": every node. */
const chosen = (injection: {
  readonly nodes: readonly string[];
  readonly cluster: { readonly nodes: readonly { readonly name: string }[] };
}) =>
  injection.nodes.length > 0 ? injection.nodes : injection.cluster.nodes.map((node) => node.name);

export const hsmUnreachable = defineFault({
  ...hsm,
  name: 'hsm-unreachable',
  felt,
  summary: 'cuts the way of nodes to the HSM: silently, or with refusal',
  parameters: z.strictObject({ refuse: z.boolean().default(false) }),
  needs: () => ['hsm.link'],
  async inject(injection) {
    const { cluster, id, parameters, undo } = injection;
    const link = lever(cluster, 'hsm');
    undo('let the HSM be reached', () => link.lift(id));
    const blocked = parameters.refuse ? 'refuse' : 'drop';
    await link.lay(id, chosen(injection), { blocked });
  },
});

export const hsmSlow = defineFault({
  ...hsm,
  name: 'hsm-slow',
  summary: 'delays what goes to and from the HSM, each way',
  danger: 'mild',
  parameters: z.strictObject({ by: duration() }),
  needs: () => ['hsm.link'],
  async inject(injection) {
    const { cluster, id, parameters, undo } = injection;
    const link = lever(cluster, 'hsm');
    undo('let the HSM be quick', () => link.lift(id));
    await link.lay(id, chosen(injection), { delayMs: parameters.by });
  },
});

export const hsmSessionLost = defineFault({
  ...hsm,
  name: 'hsm-session-lost',
  summary: 'ends the sessions of nodes with the HSM, which takes new ones at once',
  danger: 'mild',
  lasting: false,
  parameters: z.strictObject({}),
  needs: () => ['hsm.token'],
  // A node that loses its session notices at its next proof that it could unseal: half a minute on.
  async inject(injection) {
    injection.witness((await lever(injection.cluster, 'hsm').endSessions(chosen(injection))) > 0);
  },
});

export const hsmTokenRemoved = defineFault({
  ...hsm,
  name: 'hsm-token-removed',
  felt,
  summary: 'takes the token out of the HSM, for all nodes',
  targets: 'none',
  parameters: z.strictObject({}),
  needs: () => ['hsm.token'],
  async inject({ cluster, undo }) {
    const token = lever(cluster, 'hsm');
    undo('put the token back', () => token.returnToken());
    await token.removeToken();
  },
});

export const hsmWrongPin = defineFault({
  ...hsm,
  name: 'hsm-wrong-pin',
  summary: 'gives nodes a wrong PIN, and ends their sessions so that they try it',
  targets: 'nodes',
  parameters: z.strictObject({}),
  felt: /hsm\.pin-[a-z-]+/,
  needs: () => ['hsm.token'],
  async inject({ cluster, nodes, undo }) {
    const token = lever(cluster, 'hsm');
    for (const node of nodes) {
      undo(`give ${node} the right PIN`, () => token.rightPin(node));
      await token.wrongPin(node);
    }
  },
});

/**
 * The power comes back and the HSM is the last to boot: every node starts sealed, and all ask for
 * the root key at once when it is there.
 */
export const unsealStorm = defineFault({
  ...hsm,
  name: 'unseal-storm',
  felt,
  summary: 'ends all nodes, starts them while the HSM is away, and brings it back with the heal',
  targets: 'none',
  parameters: z.strictObject({ refuse: z.boolean().default(true) }),
  needs: () => ['hsm.link', 'process.kill'],
  async inject({ cluster, id, parameters, undo }) {
    const link = lever(cluster, 'hsm');
    const processes = lever(cluster, 'process');
    const nodes = cluster.nodes.map((node) => node.name);
    for (const node of nodes) undo(`start ${node}`, () => processes.start(node));
    undo('let the HSM be reached', () => link.lift(id));
    await link.lay(id, nodes, { blocked: parameters.refuse ? 'refuse' : 'drop' });
    await Promise.all(nodes.map((node) => processes.kill(node)));
    await Promise.all(nodes.map((node) => processes.start(node)));
  },
});
