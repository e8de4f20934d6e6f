import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hex, utf8Bytes, utf8Text } from '../../src/lib/index.ts';
import type { DevSlotConfig, Seal, SealOptions, SlotConfig } from '../../src/seal/index.ts';
import { nodeSeal, recordingLogger } from '../harness/seal.ts';
import { MemorySealRecords } from '../harness/seal-records.ts';

const SHARES = { shares: 3, threshold: 2 };
const NONE = { shares: 0, threshold: 0 };
const people: SlotConfig = { kind: 'shamir', name: 'people' };
const reseal = () => new Map<string, Uint8Array>();

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

function heldRoot(seal: Seal): string {
  let held = '';
  seal.onUnsealed((root) => {
    held = hex(root.reveal());
  })();
  return held;
}

describe('rotating the root', () => {
  it('changes the root for every slot, and writes the keyring in the same write', async () => {
    const seal = node([dev('a'), dev('b')]);
    await seal.initialize(NONE, () => new Map([['barrier/keyring', utf8Bytes('old')]]));
    const before = heldRoot(seal);
    const seen: string[] = [];
    records.onChange(() => {
      const keyring = utf8Text(records.read('barrier/keyring') ?? new Uint8Array());
      seen.push(`${keyring} keyring, root ${seal.status().rootGeneration}`);
    });
    const { rootId } = await seal.rotateRoot({
      reseal: (root) =>
        new Map([['barrier/keyring', utf8Bytes(root.reveal().length === 32 ? 'new' : '')]]),
    });
    expect(seen).toEqual(['new keyring, root 2']);
    expect(heldRoot(seal)).not.toBe(before);
    expect(seal.status()).toMatchObject({ rootId, rootGeneration: 2 });
    for (const slot of ['a', 'b']) {
      const other = node([dev(slot)]);
      expect(await other.unseal()).toEqual({ kind: 'unsealed', rootId });
      expect(heldRoot(other)).toBe(heldRoot(seal));
    }
    expect([...records.contents.keys()].filter((name) => name.includes('catch-up'))).toEqual([]);
  });

  it('changes nothing when the write fails', async () => {
    const seal = node([dev('a')]);
    await seal.initialize(NONE);
    const before = heldRoot(seal);
    const contents = new Map(records.contents);
    records.writeFailure = new Error('no quorum');
    await expect(seal.rotateRoot({ reseal })).rejects.toThrow('no quorum');
    expect(heldRoot(seal)).toBe(before);
    expect(records.contents).toEqual(contents);
  });

  it('is followed by nodes that run', async () => {
    const seal = node([dev('a')]);
    await seal.initialize(NONE);
    const other = node([dev('a')]);
    other.start();
    const roots: string[] = [];
    const second = new Promise<void>((resolve) => {
      other.onUnsealed((root) => {
        roots.push(hex(root.reveal()));
        if (roots.length === 2) resolve();
      });
    });
    await other.unseal();
    await seal.rotateRoot({ reseal });
    await second;
    expect(roots[1]).toBe(heldRoot(seal));
  });

  it('leaves a slot behind that is away, which opens all the same and catches up', async () => {
    const seal = node([dev('a'), dev('b'), people]);
    const { shares } = await seal.initialize(SHARES);
    renameSync(join(directory, 'b'), join(directory, 'away'));
    await seal.rotateRoot({ reseal });
    await seal.rotateRoot({ reseal });
    renameSync(join(directory, 'away'), join(directory, 'b'));

    // Sealed under the first root of three, it still leads to the third.
    const other = node([dev('b')]);
    expect(await other.unseal()).toMatchObject({ kind: 'unsealed' });
    expect(heldRoot(other)).toBe(heldRoot(seal));
    expect(other.status().slots[1]).toMatchObject({ name: 'b', health: 'stale' });
    await seal.prove();
    await seal.prove();
    expect(seal.status().slots[1]).toMatchObject({ name: 'b', health: 'ok' });

    // The shares still lie two roots behind; used once, they do no more, and the bridges go.
    expect(seal.status().slots[2]).toMatchObject({ name: 'people', health: 'stale' });
    const third = node([people]);
    await third.giveShare(shares[0] ?? '');
    await third.giveShare(shares[1] ?? '');
    expect(heldRoot(third)).toBe(heldRoot(seal));
    await seal.prove();
    expect(seal.status().slots[2]).toMatchObject({ name: 'people', health: 'ok' });
    expect([...records.contents.keys()].filter((name) => name.includes('catch-up'))).toEqual([]);
  });

  it('after a compromise drops what cannot be sealed anew, and leaves no bridge', async () => {
    const seal = node([dev('a'), people]);
    const { shares } = await seal.initialize(SHARES);
    const { dropped } = await seal.rotateRoot({ reseal, compromise: true });
    expect(dropped).toEqual(['people']);
    expect(records.contents.has('seal/catch-up/2')).toBe(false);
    await expect(node([people]).giveShare(shares[0] ?? '')).rejects.toMatchObject({
      code: 'seal.slot-unknown',
    });
  });

  it('after a compromise is refused when nothing would open any more', async () => {
    const seal = node([people]);
    await seal.initialize(SHARES);
    const before = heldRoot(seal);
    await expect(seal.rotateRoot({ reseal, compromise: true })).rejects.toMatchObject({
      code: 'seal.last-slot',
    });
    expect(heldRoot(seal)).toBe(before);
  });
});

describe('an envelope in the records', () => {
  const slotA = 'seal/slots/a';
  const slotB = 'seal/slots/b';

  it('that was damaged does not open, is named, and is mended by a node that runs', async () => {
    const { log, lines } = recordingLogger();
    const seal = node([dev('a'), dev('b')], { log });
    await seal.initialize(NONE);
    records.tamper(slotA, (bytes) => bytes.fill(0, bytes.length - 8));
    const restarted = node([dev('a')]);
    expect(await restarted.unseal()).toMatchObject({ kind: 'waiting' });
    expect(restarted.status().slots[0]).toMatchObject({ name: 'a', health: 'tampered' });
    await seal.prove();
    expect(lines.join('\n')).toContain('written anew');
    expect(await restarted.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('swapped with that of another slot is refused for that, and mended', async () => {
    const seal = node([dev('a'), dev('b')]);
    await seal.initialize(NONE);
    const a = records.contents.get(slotA) ?? new Uint8Array();
    const b = records.contents.get(slotB) ?? new Uint8Array();
    records.tamper(slotA, () => b);
    records.tamper(slotB, () => a);
    const restarted = node([dev('a'), dev('b')]);
    expect(await restarted.unseal()).toMatchObject({ kind: 'waiting' });
    expect(restarted.status().reason).toContain('moved here from another slot');
    await seal.prove();
    expect(await restarted.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('that was rolled back to before a rotation is refused, and mended', async () => {
    const seal = node([dev('a'), dev('b')]);
    await seal.initialize(NONE);
    const old = records.contents.get(slotA) ?? new Uint8Array();
    await seal.rotateRoot({ reseal });
    records.tamper(slotA, () => old);
    const restarted = node([dev('a')]);
    expect(await restarted.unseal()).toMatchObject({ kind: 'waiting' });
    expect(restarted.status().slots[0]).toMatchObject({ health: 'tampered' });
    expect(restarted.status().reason).toContain('rolled back');
    await seal.prove();
    expect(await restarted.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('of another cluster is refused', async () => {
    const seal = node([dev('a')]);
    await seal.initialize(NONE);
    const stranger = node([dev('a')], { clusterId: 'ffffffffffffffffffffffffffffffff' });
    expect(stranger.status()).toMatchObject({ state: 'sealed' });
    await expect(stranger.unseal()).rejects.toMatchObject({ code: 'seal.envelope-corrupt' });
  });

  it('is not followed back when all records are rolled back under a running node', async () => {
    const { log, lines } = recordingLogger();
    const seal = node([dev('a')], { log });
    await seal.initialize(NONE);
    const old = new Map(records.contents);
    await seal.rotateRoot({ reseal });
    const held = heldRoot(seal);
    for (const [name, bytes] of old) records.contents.set(name, bytes);
    seal.start();
    const told = new Promise<void>((resolve) => {
      const look = (): void => {
        if (lines.some((line) => line.includes('rolled back'))) resolve();
        else setImmediate(look);
      };
      look();
    });
    records.announce();
    await told;
    expect(heldRoot(seal)).toBe(held);
  });
});
