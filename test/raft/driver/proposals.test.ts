import { expect, test } from 'vitest';
import { systemClock, utf8Bytes } from '../../../src/lib/index.ts';
import type { Entry, LogIndex, NodeId } from '../../../src/raft/core/index.ts';
import { driverMetrics } from '../../../src/raft/driver/driver-metrics.ts';
import { Proposals } from '../../../src/raft/driver/proposals.ts';
import { quietMetrics } from '../../../src/telemetry/index.ts';
import { CoreCluster } from '../../harness/core-cluster.ts';
import { term } from '../../harness/core-node.ts';

const proposals = () =>
  new Proposals({
    clock: systemClock,
    metrics: driverMetrics(quietMetrics),
    entryBytesMax: 1_000,
    batchBytesMax: 10_000,
    countMax: 10,
  });

function leaderWithOne() {
  const cluster = new CoreCluster({ voters: [1, 2, 3] });
  const { core } = cluster.elect(1);
  const pending = proposals();
  const outcome = pending.add(utf8Bytes('x'), undefined);
  outcome.catch(() => undefined);
  pending.flush(core);
  const applied: Entry = {
    index: 2 as LogIndex,
    term: term(1),
    kind: 'command',
    data: utf8Bytes('x'),
  };
  return { pending, outcome, applied };
}

test('a proposal that is applied at its index and term gets the result of applying it', async () => {
  const { pending, outcome, applied } = leaderWithOne();
  pending.applied(applied, 'done');
  await expect(outcome).resolves.toEqual({ index: 2, term: 1, result: 'done' });
});

test('a proposal at whose index another leader wrote is never reported as done', async () => {
  const { pending, outcome, applied } = leaderWithOne();
  pending.applied({ ...applied, term: term(2) }, 'another’s');
  await expect(outcome).rejects.toMatchObject({ code: 'raft.outcome-unknown' });
});

test('a proposal on a follower is refused, with the leader named', async () => {
  const cluster = new CoreCluster({ voters: [1, 2, 3] });
  cluster.elect(1);
  const pending = proposals();
  const outcome = pending.add(utf8Bytes('x'), undefined);
  pending.flush(cluster.node(2).core);
  await expect(outcome).rejects.toMatchObject({
    code: 'raft.not-leader',
    details: { leader: 1 as NodeId },
  });
});
