import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hex, type SecretBytes } from '../../src/lib/index.ts';
import type { DevSlotConfig, Seal, SealOptions, SlotConfig } from '../../src/seal/index.ts';
import { nodeSeal, recordingLogger } from '../harness/seal.ts';
import { MemorySealRecords } from '../harness/seal-records.ts';

const SHARES = { shares: 5, threshold: 3 };
const NONE = { shares: 0, threshold: 0 };
const people: SlotConfig = { kind: 'shamir', name: 'people' };

let directory: string;
let records: MemorySealRecords;
let open: Seal[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'strongroom-seal-'));
  records = new MemorySealRecords();
});
afterEach(async () => {
  await Promise.all(open.map((seal) => seal[Symbol.asyncDispose]()));
  open = [];
  rmSync(directory, { recursive: true, force: true });
});

const dev = (name: string): DevSlotConfig => ({ kind: 'dev', name, path: join(directory, name) });

function node(slots: readonly SlotConfig[], overrides: Partial<SealOptions> = {}): Seal {
  const seal = nodeSeal(records, slots, overrides);
  open.push(seal);
  return seal;
}

/** The root as a node would see it, copied: as hex, to be compared. */
function heldRoot(seal: Seal): string {
  let held = '';
  seal.onUnsealed((root: SecretBytes) => {
    held = hex(root.reveal());
  })();
  return held;
}

async function initialized(slots: readonly SlotConfig[], counts = NONE) {
  const seal = node(slots);
  const { root, shares } = await seal.initialize(counts);
  const rootText = hex(root.reveal());
  root[Symbol.dispose]();
  return { seal, shares, rootText };
}

describe('a seal', () => {
  it('is uninitialized, then unsealed by whoever made the root, and opens it again elsewhere', async () => {
    const first = node([dev('a')]);
    expect(first.state()).toBe('uninitialized');
    expect(await first.unseal()).toEqual({ kind: 'uninitialized' });
    const { root } = await first.initialize(NONE);
    expect(first.state()).toBe('unsealed');
    const second = node([dev('a')]);
    expect(second.state()).toBe('waiting');
    expect(await second.unseal()).toMatchObject({ kind: 'unsealed' });
    expect(heldRoot(second)).toBe(hex(root.reveal()));
    expect(heldRoot(second)).toHaveLength(64);
  });

  it('is initialized once, also when two nodes try at the same time', async () => {
    const results = await Promise.allSettled([
      node([dev('a')]).initialize(NONE),
      node([dev('a')]).initialize(NONE),
    ]);
    expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(node([dev('a')]).initialize(NONE)).rejects.toMatchObject({
      code: 'seal.already-initialized',
    });
  });

  it('writes what goes along with the root in the same write', async () => {
    await node([dev('a')]).initialize(
      NONE,
      (_root, rootId) => new Map([['barrier/keyring', new TextEncoder().encode(rootId)]]),
    );
    const keyring = new TextDecoder().decode(records.read('barrier/keyring'));
    expect(keyring).toMatch(/^[0-9a-f]{32}$/);
  });

  it('says loudly that a dev slot protects nothing, and keeps its key out of the log', async () => {
    const { log, lines } = recordingLogger();
    await node([dev('a')], { log }).initialize(NONE);
    expect(lines.join('\n')).toContain('DEV SEAL');
    const [, key = ''] = readFileSync(join(directory, 'a'), 'utf8').trim().split(' ');
    expect(key).toHaveLength(64);
    expect(lines.join('\n')).not.toContain(key);
  });

  it('keeps nothing in its records from which the root can be read', async () => {
    const { rootText, shares } = await initialized([dev('a'), people], SHARES);
    const stored = [...records.contents.values()].map(hex).join('');
    expect(stored).not.toContain(rootText);
    for (const share of shares) expect(stored).not.toContain(share);
  });

  it('tells subscribers at once, and again before the root is overwritten', async () => {
    const { seal } = await initialized([dev('a')]);
    const seen: string[] = [];
    let kept: SecretBytes | undefined;
    seal.onUnsealed((root, rootId) => {
      kept = root;
      seen.push(rootId);
    });
    seal.onSealed(() => seen.push(`sealed, root still there: ${kept?.reveal().length}`));
    await seal.sealByHand();
    expect(seen).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), 'sealed, root still there: 32']);
    expect(() => kept?.reveal()).toThrow('overwritten');
  });

  it('stays sealed over a restart when it was sealed by hand, until that is lifted', async () => {
    const { seal } = await initialized([dev('a')]);
    const other = node([dev('a')]);
    await other.unseal();
    await seal.sealByHand();
    expect([seal.state(), other.state()]).toEqual(['sealed', 'sealed']);
    const restarted = node([dev('a')]);
    restarted.start();
    expect(await restarted.unseal()).toEqual({ kind: 'sealed-by-hand' });
    expect(restarted.status()).toMatchObject({ state: 'sealed', manuallySealed: true });
    const unsealed = new Promise<void>((resolve) => restarted.onUnsealed(() => resolve()));
    await restarted.lift();
    await unsealed;
    expect(restarted.state()).toBe('unsealed');
  });

  it('unseals by itself as soon as another node has initialized the cluster', async () => {
    const waiting = node([dev('a')]);
    waiting.start();
    const unsealed = new Promise<void>((resolve) => waiting.onUnsealed(() => resolve()));
    await initialized([dev('a')]);
    await unsealed;
    expect(waiting.state()).toBe('unsealed');
  });

  it('waits, says for what, and opens when it comes', async () => {
    const { rename } = await import('node:fs/promises');
    await initialized([dev('a')]);
    await rename(join(directory, 'a'), join(directory, 'away'));
    const seal = node([dev('a')]);
    expect(await seal.unseal()).toMatchObject({ kind: 'waiting' });
    expect(seal.status()).toMatchObject({ state: 'waiting', restartReady: false });
    expect(seal.status().reason).toContain('dev key of slot "a"');
    await rename(join(directory, 'away'), join(directory, 'a'));
    expect(await seal.unseal()).toMatchObject({ kind: 'unsealed' });
  });
});

describe('shares', () => {
  it('unseal from any three of five, in any order, and lift a seal by hand', async () => {
    const { seal, shares, rootText } = await initialized([people], SHARES);
    await seal.sealByHand();
    const other = node([people]);
    for (const at of [4, 0]) {
      expect(await other.giveShare(shares[at] ?? '')).toMatchObject({ kind: 'shares-needed' });
    }
    expect(other.status()).toMatchObject({ state: 'sealed', sharesNeeded: 3, sharesGiven: 2 });
    expect(await other.giveShare(shares[2] ?? '')).toMatchObject({ kind: 'unsealed' });
    expect(heldRoot(other)).toBe(rootText);
    expect(other.status()).toMatchObject({ manuallySealed: false, sharesGiven: 0 });
  });

  it('count once each, and are forgotten on request', async () => {
    const { shares } = await initialized([people], SHARES);
    const seal = node([people]);
    for (let times = 0; times < 4; times++) await seal.giveShare(shares[0] ?? '');
    expect(seal.status().sharesGiven).toBe(1);
    seal.resetShares();
    expect(seal.status().sharesGiven).toBe(0);
  });

  it('are refused by name when wrong, and the others stay counted', async () => {
    const { shares } = await initialized([people], SHARES);
    const foreign = new MemorySealRecords();
    const stranger = nodeSeal(foreign, [people]);
    open.push(stranger);
    const others = (await stranger.initialize(SHARES)).shares;
    const seal = node([people]);
    await seal.giveShare(shares[0] ?? '');
    await expect(seal.giveShare(others[1] ?? '')).rejects.toMatchObject({
      code: 'seal.share-foreign',
      details: { index: 2 },
    });
    const typo = (shares[1] ?? '').replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    await expect(seal.giveShare(typo)).rejects.toMatchObject({ code: 'seal.share-invalid' });
    await seal.giveShare(shares[3] ?? '');
    expect(await seal.giveShare(shares[1] ?? '')).toMatchObject({ kind: 'unsealed' });
  });

  it('of a set that was replaced are refused', async () => {
    const { seal, shares } = await initialized([people, dev('a')], SHARES);
    const { shares: fresh } = await seal.rotateKek('people', { shares: 3, threshold: 2 });
    const other = node([people]);
    await expect(other.giveShare(shares[0] ?? '')).rejects.toMatchObject({
      code: 'seal.share-foreign',
    });
    await other.giveShare(fresh[0] ?? '');
    expect(await other.giveShare(fresh[2] ?? '')).toMatchObject({ kind: 'unsealed' });
  });
});

describe('slots', () => {
  it('migrate online: add, see it open everywhere, remove', async () => {
    const { seal, shares, rootText } = await initialized([people], SHARES);
    await seal.addSlot(dev('b'));
    const other = node([dev('b')]);
    expect(await other.unseal()).toMatchObject({ kind: 'unsealed' });
    await seal.removeSlot('people');
    expect(heldRoot(other)).toBe(rootText);
    await expect(node([dev('b')]).giveShare(shares[0] ?? '')).rejects.toMatchObject({
      code: 'seal.slot-unknown',
    });
    expect(await node([dev('b')]).unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('never lose the last one, nor the last one that opens', async () => {
    const { seal } = await initialized([dev('a'), dev('b')]);
    rmSync(join(directory, 'b'));
    await expect(seal.removeSlot('a')).rejects.toMatchObject({ code: 'seal.last-slot' });
    await seal.removeSlot('b');
    await expect(seal.removeSlot('a')).rejects.toMatchObject({ code: 'seal.last-slot' });
    await expect(seal.removeSlot('c')).rejects.toMatchObject({ code: 'seal.slot-unknown' });
    expect(await node([dev('a')]).unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('have names of their own, and are changed only while unsealed', async () => {
    const { seal } = await initialized([dev('a')]);
    await expect(seal.addSlot(dev('a'))).rejects.toMatchObject({ code: 'seal.slot-exists' });
    await expect(seal.addSlot({ ...dev('b'), name: '../b' })).rejects.toMatchObject({
      code: 'seal.slot-unfit',
    });
    await expect(node([dev('a')]).addSlot(dev('b'))).rejects.toMatchObject({ code: 'seal.sealed' });
  });

  it('get a new key without the root changing, and the old envelope opens no more', async () => {
    const { seal, rootText } = await initialized([dev('a')]);
    const before = seal.status().slots[0]?.kekFingerprint;
    const { fingerprint } = await seal.rotateKek('a');
    expect(fingerprint).not.toBe(before);
    expect(seal.status().slots[0]).toMatchObject({ kekFingerprint: fingerprint, kekGeneration: 2 });
    const other = node([dev('a')]);
    await other.unseal();
    expect(heldRoot(other)).toBe(rootText);
  });

  it('changed by two nodes at once are changed by one', async () => {
    const { seal } = await initialized([dev('a')]);
    const other = node([dev('a')]);
    await other.unseal();
    const results = await Promise.allSettled([seal.addSlot(dev('b')), other.addSlot(dev('c'))]);
    const rejected = results.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(rejected).toEqual([expect.objectContaining({ code: 'seal.changed-meanwhile' })]);
    expect(seal.status().slots).toHaveLength(2);
  });
});
