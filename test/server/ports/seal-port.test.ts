import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemRandom } from '../../../src/lib/index.ts';
import type { Seal } from '../../../src/seal/index.ts';
import type { NodeReport } from '../../../src/server/cluster/peer-request.ts';
import { createSealPort, type SealPortParts } from '../../../src/server/ports/seal-port.ts';
import { nodeSeal } from '../../harness/seal.ts';
import { MemorySealRecords } from '../../harness/seal-records.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

const context = { signal: new AbortController().signal } as never;
const random = new SystemRandom();

/** Two nodes with a seal of two files; the second is what its own seal says of itself. */
describe('the seal of a cluster', () => {
  let folder: string;
  let records: MemorySealRecords;
  let seals: Seal[];
  let answers: Map<number, Seal | undefined>;

  beforeEach(() => {
    folder = temporaryFolder();
    records = new MemorySealRecords();
    seals = [];
    answers = new Map();
  });
  afterEach(async () => {
    for (const seal of seals) await seal[Symbol.asyncDispose]();
  });

  const seal = (nodeId: number, names: readonly string[]): Seal => {
    const slots = names.map((name) => ({ kind: 'dev' as const, name, path: join(folder, name) }));
    const made = nodeSeal(records, slots, { nodeId });
    seals.push(made);
    return made;
  };
  const reports = async () =>
    new Map(
      [...answers].map(([node, one]) => [
        node,
        one === undefined ? undefined : ({ node, seal: one.status() } as unknown as NodeReport),
      ]),
    );
  const port = (own: Seal) =>
    createSealPort({
      seal: own,
      node: 1,
      version: 'test',
      reports,
      keyring: { barrier: () => undefined },
    } as unknown as SealPortParts);
  const leader = async () => {
    const own = seal(1, ['old', 'new']);
    const { root } = await own.initialize({ shares: 0, threshold: 0 });
    root[Symbol.dispose]();
    answers.set(1, own);
    return own;
  };

  it('shows a node that does not answer as one that is not ready', async () => {
    const own = await leader();
    answers.set(2, undefined);
    const { nodes } = await port(own).status(context);
    expect(nodes).toMatchObject([
      { node: 1, state: 'unsealed', restartReady: true },
      { node: 2, state: 'unreachable', restartReady: false, reason: 'it does not answer' },
    ]);
  });

  it('keeps a slot while a node that answers opens by no other', async () => {
    const own = await leader();
    const other = seal(2, ['old']);
    await other.unseal();
    answers.set(2, other);
    await expect(port(own).removeSlot(context, { name: 'old' })).rejects.toMatchObject({
      code: 'seal.last-slot',
      message: expect.stringContaining('node 2'),
    });
    expect(own.status().slots).toHaveLength(2);
    answers.set(2, undefined);
    await port(own).removeSlot(context, { name: 'old' });
    expect(own.status().slots).toMatchObject([{ name: 'new' }]);
  });

  it('forgets refused PINs of a slot that there is, and of no other', async () => {
    const own = await leader();
    records.contents.set('seal/pin/new', random.bytes(4));
    await expect(port(own).forgetRejectedPins(context, { slot: 'nwe' })).rejects.toMatchObject({
      code: 'seal.slot-unknown',
    });
    await port(own).forgetRejectedPins(context, { slot: 'new' });
    expect(records.read('seal/pin/new')).toBeUndefined();
  });

  it('makes no shares for a slot that has none', async () => {
    const own = await leader();
    const before = records.read('seal/slots/new');
    await expect(own.rotateKek('new', { shares: 3, threshold: 2 })).rejects.toMatchObject({
      code: 'seal.slot-unfit',
    });
    expect(records.read('seal/slots/new')).toEqual(before);
  });
});
