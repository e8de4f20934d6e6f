import { expect, it } from 'vitest';
import { hex, type SecretBytes } from '../../src/lib/index.ts';
import { KEEP_MS_MAX, KeptRoot } from '../../src/seal/kept-root.ts';
import { LAYOUT_RECORD } from '../../src/seal/records.ts';
import { nodeSeal } from '../harness/seal.ts';
import { MemorySealRecords } from '../harness/seal-records.ts';
import { SteppedClock } from '../harness/vault.ts';

const PEOPLE = [{ kind: 'shamir', name: 'people' }] as const;
const noReseal = { reseal: () => new Map<string, Uint8Array>() };

/** A cluster that only people can open, and a node of it that ends to begin again. */
async function beginningAgain() {
  const records = new MemorySealRecords();
  const clock = new SteppedClock();
  const kept = new KeptRoot(clock);
  const other = nodeSeal(records, PEOPLE);
  const { root, shares } = await other.initialize({ shares: 3, threshold: 2 });
  const before = nodeSeal(records, PEOPLE, { kept });
  for (const share of shares.slice(0, 2)) await before.giveShare(share);
  before.keepRoot();
  await before[Symbol.asyncDispose]();
  const after = nodeSeal(records, PEOPLE, { kept });
  return { records, clock, kept, other, after, rootText: hex(root.reveal()) };
}

function heldRoot(seal: ReturnType<typeof nodeSeal>): string {
  let held = '';
  seal.onUnsealed((root: SecretBytes) => {
    held = hex(root.reveal());
  })();
  return held;
}

it('opens a node that begins again in the same process without shares, once', async () => {
  const { records, kept, after, rootText } = await beginningAgain();
  expect(await after.unseal()).toMatchObject({ kind: 'unsealed' });
  expect(heldRoot(after)).toBe(rootText);
  expect(kept.isEmpty).toBe(true);
  const next = nodeSeal(records, PEOPLE, { kept });
  expect(await next.unseal()).toMatchObject({ kind: 'shares-needed' });
});

it('is not used, and is overwritten, when the cluster was sealed by hand meanwhile', async () => {
  const { kept, other, after } = await beginningAgain();
  await other.sealByHand();
  expect(await after.unseal()).toEqual({ kind: 'sealed-by-hand' });
  expect(kept.isEmpty).toBe(true);
  await other.lift();
  expect(await after.unseal()).toMatchObject({ kind: 'shares-needed' });
});

it('leads on to a root that was rotated meanwhile', async () => {
  const { other, after, rootText } = await beginningAgain();
  await other.rotateRoot(noReseal);
  expect(await after.unseal()).toMatchObject({ kind: 'unsealed' });
  expect(heldRoot(after)).toBe(heldRoot(other));
  expect(heldRoot(after)).not.toBe(rootText);
});

it('waits for a state that is still being filled', async () => {
  const { records, after } = await beginningAgain();
  const layout = records.read(LAYOUT_RECORD);
  await records.write(new Map([[LAYOUT_RECORD, undefined]]));
  expect(await after.unseal()).toEqual({ kind: 'uninitialized' });
  await records.write(new Map([[LAYOUT_RECORD, layout]]));
  expect(await after.unseal()).toMatchObject({ kind: 'unsealed' });
});

it('is kept for a bounded time', async () => {
  const { clock, kept, after } = await beginningAgain();
  clock.advance(KEEP_MS_MAX - 1);
  expect(kept.isEmpty).toBe(false);
  clock.advance(1);
  expect(kept.isEmpty).toBe(true);
  expect(await after.unseal()).toMatchObject({ kind: 'shares-needed' });
});

it('is not left by a node that is sealed', async () => {
  const { kept, after } = await beginningAgain();
  kept[Symbol.dispose]();
  after.keepRoot();
  expect(kept.isEmpty).toBe(true);
});
