import { expect, test } from 'vitest';
import { faultsFelt } from '../../../chaos/checkers/faults-felt.ts';
import type { Fault } from '../../../chaos/faults/fault.ts';
import type { Cluster } from '../../../chaos/grounds/ground.ts';
import { observationOf } from '../../../chaos/grounds/observation.ts';
import { Trace } from '../../../chaos/runner/felt.ts';
import { JumpingClock } from './fake-ground.ts';

/** Two nodes whose logs a test writes. */
function twoNodes() {
  const logs: Record<string, string> = { one: '', two: '' };
  const cluster = {
    clock: new JumpingClock(),
    nodes: [{ name: 'one' }, { name: 'two' }],
    saidSince: (node: string, mark: number) => {
      const text = logs[node] ?? '';
      return Promise.resolve({ text: text.slice(mark), length: text.length });
    },
  } as unknown as Cluster;
  return { cluster, logs };
}

const fault = { felt: /the disk is full/ } as Fault;
const { signal } = new AbortController();

test('a fault is felt when one of its nodes says so after it was done', async () => {
  const { cluster, logs } = twoNodes();
  const trace = new Trace(cluster, fault);
  await trace.begin(['one']);
  logs['one'] += 'the disk is full\n';
  expect(await trace.wasFelt(3_000, signal)).toBe(true);
});

test('a fault is not felt by what was said before it, or by a node that it was not for', async () => {
  const { cluster, logs } = twoNodes();
  logs['one'] = 'the disk is full\n';
  const trace = new Trace(cluster, fault);
  await trace.begin(['one']);
  logs['two'] += 'the disk is full\n';
  expect(await trace.wasFelt(3_000, signal)).toBe(false);
});

test('a fault without nodes of its own may be felt by any, also a moment after its heal', async () => {
  const { cluster, logs } = twoNodes();
  const trace = new Trace(cluster, fault);
  await trace.begin([]);
  cluster.clock.after(2_000, () => {
    logs['two'] += 'the disk is full\n';
  });
  expect(await trace.wasFelt(3_000, signal)).toBe(true);
});

test('of a fault that leaves no trace, or on a ground without logs, nothing is said', async () => {
  const { cluster } = twoNodes();
  const silent = new Trace(cluster, {} as Fault);
  await silent.begin(['one']);
  expect(await silent.wasFelt(3_000, signal)).toBeUndefined();
  const blind = { clock: cluster.clock, nodes: cluster.nodes } as Cluster;
  const unseen = new Trace(blind, fault);
  await unseen.begin(['one']);
  expect(await unseen.wasFelt(3_000, signal)).toBeUndefined();
});

test('a run with a fault that nobody felt has proved nothing', async () => {
  const judged = async (felt: readonly (boolean | undefined)[]) => {
    const faults = felt.map((one, at) => {
      const fault = { id: `${at + 1}-disk-full`, nodes: ['one'] };
      return one === undefined ? fault : { ...fault, felt: one };
    });
    const judgement = await faultsFelt.check({
      histories: [],
      cluster: {} as Cluster,
      faults,
      final: observationOf([]),
      signal,
    });
    return `${judgement.kind} ${judgement.kind === 'ok' ? judgement.about : judgement.because}`;
  };
  expect(await judged([true, undefined, true])).toBe('ok 2 faults left their trace');
  expect(await judged([true, false])).toBe(
    'undecided no node felt 2-disk-full one: it left no trace in their logs',
  );
  expect(await judged([undefined])).toContain('undecided');
});
