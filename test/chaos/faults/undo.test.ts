import { expect, test } from 'vitest';
import { faultNamed, faults } from '../../../chaos/faults/catalogue.ts';
import type { Cluster } from '../../../chaos/grounds/ground.ts';
import { observationOf } from '../../../chaos/grounds/observation.ts';
import { SeededRandom, systemClock } from '../../../src/lib/index.ts';
import { FakeLevers } from './fake-levers.ts';

const names = ['voter-1', 'voter-2', 'voter-3'];

/** What a scenario writes under "with", for the faults that need something there. */
const written: Readonly<Record<string, object>> = {
  delay: { by: '10ms' },
  loss: { of: '5%' },
  duplicate: { of: '5%' },
  reorder: { of: '5%' },
  corrupt: { of: '5%' },
  bandwidth: { to: '1mbit' },
  'clock-jump': { by: '1h', to: 'back' },
  'clock-skew': { drift: 0.5 },
  'clock-strobe': { by: '1s', every: '10ms' },
  'fsync-slow': { by: '10ms' },
  'truncate-tail': { bytes: 10 },
  'roll-back-disk': { by: '5ms' },
  'hsm-slow': { by: '10ms' },
  'audit-sink': { is: 'hanging' },
  'membership-churn': { stays: '5ms' },
  'lease-storm': { tokens: 100 },
  'client-storm': { clients: 5 },
  rotate: { what: 'root' },
  'break-glass': { shares: 3, threshold: 3 },
};

function clusterOf(fake: FakeLevers): Cluster {
  const nodes = names.map((name) => ({ name, kind: 'voter', region: 'local' }) as const);
  const observe = () =>
    Promise.resolve(
      observationOf(
        names.map((name) => ({
          name,
          up: fake.isUp(name),
          role: name === 'voter-1' ? 'leader' : 'follower',
          term: 1,
          commit: 1,
          applied: 1,
          lagMs: 0,
          lagEntries: 0,
          seal: 'unsealed',
        })),
      ),
    );
  const client = () => fake.client();
  return { nodes, clock: systemClock, levers: fake.levers, client, observe } as unknown as Cluster;
}

/** Does a fault to `nodes`. @returns its undo steps, in the order in which they are to be taken. */
async function inject(name: string, fake: FakeLevers, nodes: readonly string[]) {
  const fault = faultNamed(name);
  const steps: (() => Promise<void>)[] = [];
  await fault.inject({
    id: `1-${name}`,
    cluster: clusterOf(fake),
    nodes,
    parameters: fault.parameters.parse(written[name] ?? {}),
    random: new SeededRandom(1),
    leader: 'voter-1',
    signal: new AbortController().signal,
    witness: () => {},
    undo: (_, action) => steps.unshift(action),
  });
  return steps;
}

test.each(faults.map(({ name }) => name))(
  '%s leaves nothing when it is undone, even twice',
  async (name) => {
    const fake = new FakeLevers();
    const fault = faultNamed(name);
    const steps = await inject(name, fake, fault.targets === 'none' ? [] : ['voter-1', 'voter-2']);
    expect(fake.left.length > 0 || fake.calls.length > 0 || !fault.lasting).toBe(true);
    for (let twice = 0; twice < 2; twice++) for (const step of steps) await step();
    // What goes on by itself would show a moment later.
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(fake.left).toEqual([]);
    expect(['mild', 'disruptive', 'destructive']).toContain(fault.danger);
  },
);

test('a disk that was damaged and refused is what it was after the heal', async () => {
  for (const name of ['flip-bits', 'truncate-tail']) {
    const fake = new FakeLevers();
    fake.refusesDamage = true;
    const steps = await inject(name, fake, ['voter-2']);
    expect(fake.isUp('voter-2')).toBe(false);
    for (let twice = 0; twice < 2; twice++) for (const step of steps) await step();
    expect(fake.isUp('voter-2')).toBe(true);
    expect(fake.diskOf('voter-2')).toBe('whole');
  }
});

test('a node that went on with its damaged disk keeps what it has written since', async () => {
  const fake = new FakeLevers();
  const steps = await inject('flip-bits', fake, ['voter-2']);
  expect(fake.isUp('voter-2')).toBe(true);
  for (const step of steps) await step();
  expect(fake.diskOf('voter-2')).toBe('damaged');
});

test.each([
  ['clock-skew', { drift: -1 }],
  ['clock-strobe', { by: '1s', every: '0ms' }],
  ['clock-jump', { by: '1h', to: 'sideways' }],
  ['disk-full', { free: -1 }],
  ['flip-bits', { part: 'everything' }],
  ['flip-bits', { bits: 0 }],
  ['truncate-tail', {}],
  ['audit-sink', { is: 'empty' }],
  ['corrupt', { of: '120%' }],
  ['lease-storm', { tokens: 0 }],
  ['hsm-slow', { by: 'long' }],
  ['kill', { hard: true }],
  ['rotate', { what: 'kek' }],
  ['rotate', { what: 'root', slot: 'hsm' }],
  ['break-glass', { shares: 2, threshold: 3 }],
])('%s refuses %j', (name, parameters) => {
  expect(faultNamed(name).parameters.safeParse(parameters).success).toBe(false);
});
