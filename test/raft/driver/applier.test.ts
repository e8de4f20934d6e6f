import { describe, expect, it } from 'vitest';
import { deferred } from '../../../src/lib/index.ts';
import { Applier } from '../../../src/raft/driver/applier.ts';
import type { Entry, LogIndex, NodeId, StateMachine, Term } from '../../../src/raft/index.ts';

const membership = { voters: [1 as NodeId], learners: [], removed: [] };

function entryAt(index: number): Entry {
  return { index: index as LogIndex, term: 1 as Term, kind: 'command', data: new Uint8Array() };
}

describe('applying entries', () => {
  it('stops while what the state machine has not yet written is too much, and goes on after', async () => {
    const written = deferred<void>();
    const woken = deferred<void>();
    let full = true;
    const stateMachine: Pick<StateMachine, 'apply' | 'applied' | 'room'> = {
      applied: () => ({ index: 0 as LogIndex, term: 0 as Term, membership }),
      apply: (entries) => entries.map(() => undefined),
      room: () => (full ? written.promise : undefined),
    };
    const applier = new Applier(
      stateMachine as StateMachine,
      { applied: 0 as LogIndex, membership },
      () => undefined,
      () => woken.resolve(),
    );
    applier.enqueue([entryAt(1)]);
    applier.enqueue([entryAt(2)]);
    expect(applier.run()).toHaveLength(1);
    expect(applier.hasWork).toBe(false);
    full = false;
    written.resolve();
    await woken.promise;
    expect(applier.hasWork).toBe(true);
    expect(applier.run()).toHaveLength(1);
    expect(applier.applied).toBe(2);
  });
});
