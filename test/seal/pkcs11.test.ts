import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  openToken,
  pinFromFile,
  type TokenAddress,
  type WrapMechanism,
} from '../../src/hsm/index.ts';
import { deferred, hex, systemClock, utf8Bytes } from '../../src/lib/index.ts';
import type { Pkcs11SlotConfig, Seal, SealOptions, SlotConfig } from '../../src/seal/index.ts';
import { compilerInstalled, FaultyModule } from '../harness/faulty-module.ts';
import { nodeSeal, recordingLogger } from '../harness/seal.ts';
import { MemorySealRecords } from '../harness/seal-records.ts';
import { PIN, SoftHsm, softHsmInstalled, tokenOptions } from '../harness/softhsm.ts';
import { spied, spyInstalled } from '../harness/spied-module.ts';

const NONE = { shares: 0, threshold: 0 };
const reseal = () => new Map<string, Uint8Array>();

/** Two HSMs that know nothing of each other. */
describe.skipIf(!softHsmInstalled)('a seal with HSM slots', () => {
  let hsmA: SoftHsm;
  let hsmB: SoftHsm;
  let tokenA: TokenAddress;
  let tokenB: TokenAddress;
  let records: MemorySealRecords;
  let open: Seal[] = [];

  beforeAll(async () => {
    hsmA = new SoftHsm();
    hsmB = new SoftHsm();
    tokenA = await hsmA.makeToken('alpha');
    tokenB = await hsmB.makeToken('beta');
  });
  afterAll(() => {
    hsmA[Symbol.dispose]();
    hsmB[Symbol.dispose]();
  });
  beforeEach(() => {
    records = new MemorySealRecords();
  });
  afterEach(async () => {
    await Promise.all(open.map((seal) => seal[Symbol.asyncDispose]()));
    open = [];
  });

  const slot = (
    hsm: SoftHsm,
    token: TokenAddress,
    name: string,
    mechanism: WrapMechanism = 'aes-gcm',
  ): Pkcs11SlotConfig => ({
    kind: 'pkcs11',
    name,
    token,
    pin: pinFromFile(hsm.pinFile()),
    mechanism,
  });
  const a = () => slot(hsmA, tokenA, 'hsm-a');
  const b = () => slot(hsmB, tokenB, 'hsm-b', 'rsa-oaep-sha1');
  // A cluster id of its own for each test: the tokens, and the labels in them, are shared.
  let clusterId = '';
  const node = (slots: readonly SlotConfig[], overrides: Partial<SealOptions> = {}): Seal => {
    const seal = nodeSeal(records, slots, { clusterId, ...overrides });
    open.push(seal);
    return seal;
  };
  const initialized = async (slots: readonly SlotConfig[]) => {
    clusterId = hex(crypto.getRandomValues(new Uint8Array(16)));
    const seal = node(slots);
    const { root } = await seal.initialize(NONE);
    return { seal, rootText: hex(root.reveal()) };
  };
  const heldRoot = (seal: Seal): string => {
    let held = '';
    seal.onUnsealed((root) => {
      held = hex(root.reveal());
    })();
    return held;
  };

  it('opens by either HSM alone, to the same root', async () => {
    const { rootText } = await initialized([a(), b()]);
    for (const only of [a(), b()]) {
      const other = node([only]);
      expect(await other.unseal()).toMatchObject({ kind: 'unsealed' });
      expect(heldRoot(other)).toBe(rootText);
      expect(other.status().restartReady).toBe(true);
    }
  });

  it('keeps serving without its HSMs, says that a restart would hurt, and why', async () => {
    const { seal } = await initialized([a()]);
    expect(seal.status()).toMatchObject({ restartReady: true, reason: '' });
    const conf = join(hsmA.directory, 'softhsm2.conf');
    renameSync(conf, `${conf}-away`);
    renameSync(join(hsmA.directory, 'tokens'), join(hsmA.directory, 'tokens-away'));
    try {
      await seal.prove();
      expect(seal.status()).toMatchObject({ state: 'unsealed', restartReady: false });
      expect(seal.status().slots[0]).toMatchObject({ health: 'unreachable' });
      expect(seal.status().reason).toContain('a restart of this node would not unseal');
      expect(heldRoot(seal)).toHaveLength(64);
      const restarted = node([a()]);
      expect(await restarted.unseal()).toMatchObject({ kind: 'waiting' });
      expect(restarted.status().state).toBe('waiting');
    } finally {
      renameSync(`${conf}-away`, conf);
      renameSync(join(hsmA.directory, 'tokens-away'), join(hsmA.directory, 'tokens'));
    }
    await seal.prove();
    expect(seal.status().restartReady).toBe(true);
  });

  it('is not ready for a restart whose PIN file is gone, and goes on with the login that it has', async () => {
    const path = hsmA.pinFile(PIN, 'going');
    const { seal, rootText } = await initialized([{ ...a(), pin: pinFromFile(path) }]);
    await seal.prove();
    expect(seal.status().restartReady).toBe(true);
    rmSync(path);
    await seal.prove();
    expect(seal.status()).toMatchObject({ state: 'unsealed', restartReady: false });
    expect(seal.status().slots[0]).toMatchObject({
      health: 'pin-rejected',
      reason: expect.stringContaining('Cannot read the PIN file'),
    });
    await seal.rotateRoot({ reseal });
    expect(heldRoot(seal)).not.toBe(rootText);
    hsmA.pinFile(PIN, 'going');
    await seal.prove();
    expect(seal.status()).toMatchObject({ restartReady: true, reason: '' });
  });

  it('outlives the loss of a key: another slot opens, and a new one is added at once', async () => {
    const { seal, rootText } = await initialized([a(), b()]);
    const label = `strongroom/${clusterId}/hsm-a/g1`;
    await using token = await openToken(tokenA, pinFromFile(hsmA.pinFile()), tokenOptions());
    await token.destroyKek(label);
    await seal.prove();
    expect(seal.status().slots[0]).toMatchObject({ health: 'tampered' });
    expect(seal.status().reason).toBe('');
    const other = node([a(), b()]);
    await other.unseal();
    expect(heldRoot(other)).toBe(rootText);
    await seal.rotateKek('hsm-a');
    const third = node([a()]);
    expect(await third.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('refuses another key that took the label, and does not mend towards it', async () => {
    const { seal } = await initialized([a()]);
    const label = `strongroom/${clusterId}/hsm-a/g1`;
    const before = records.contents.get('seal/slots/hsm-a');
    await using token = await openToken(tokenA, pinFromFile(hsmA.pinFile()), tokenOptions());
    await token.destroyKek(label);
    await token.generateKek(label, 'aes-gcm');
    await seal.prove();
    expect(seal.status().slots[0]).toMatchObject({ health: 'tampered' });
    expect(seal.status().slots[0]?.reason).toContain('somebody replaced it');
    expect(records.contents.get('seal/slots/hsm-a')).toEqual(before);
    expect(await node([a()]).unseal()).toMatchObject({ kind: 'waiting' });
  });

  it('tells a damaged envelope from a dead token, and mends it', async () => {
    const { seal } = await initialized([a()]);
    // A bit of the wrapped secret, which only the token can judge.
    records.tamper('seal/slots/hsm-a', (bytes) => {
      const at = bytes.length - (4 + 48) - (4 + 32) - (4 + 32) - 8;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    });
    const restarted = node([a()]);
    expect(await restarted.unseal()).toMatchObject({ kind: 'waiting' });
    expect(restarted.status().slots[0]).toMatchObject({ health: 'tampered' });
    expect(restarted.status().reason).toContain('the key itself works');
    await seal.prove();
    expect(await restarted.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('says that it waits while a slot does not answer at all', async () => {
    await initialized([a()]);
    const { promise: answered, resolve: answer } = deferred<void>();
    const pin = pinFromFile(hsmA.pinFile());
    const silent = { ...pin, read: () => answered.then(() => pin.read()) };
    const { log, lines } = recordingLogger();
    const hurried = {
      ...systemClock,
      after: (ms: number, action: () => void) => systemClock.after(ms / 30, action),
    };
    const seal = node([{ ...a(), pin: silent }], { log, clock: hurried });
    seal.start();
    await expect
      .poll(() => lines.join())
      .toContain('Waiting to unseal {"reason":"no answer for 3 s"}');
    answer();
    await expect.poll(() => seal.state()).toBe('unsealed');
  });

  it.skipIf(!compilerInstalled)(
    'begins nothing without the chance of its HSM, and rotates with its own alone',
    async () => {
      using hsm = new SoftHsm();
      const module = new FaultyModule(await hsm.makeToken('gamma'), hsm.directory);
      const config = slot(hsm, module.address, 'hsm-c');
      clusterId = hex(crypto.getRandomValues(new Uint8Array(16)));
      const seal = node([config]);
      module.fail('C_GenerateRandom', 0x121);
      await expect(seal.initialize(NONE)).rejects.toMatchObject({ code: 'hsm.unavailable' });
      expect(seal.state()).toBe('uninitialized');
      module.heal();
      const { root } = await seal.initialize(NONE);
      root[Symbol.dispose]();
      module.fail('C_GenerateRandom', 0x121);
      const before = seal.status().rootId;
      const { rootId } = await seal.rotateRoot({ reseal });
      expect(rootId).not.toBe(before);
      expect(await node([config]).unseal()).toEqual({ kind: 'unsealed', rootId });
      await Promise.all(open.map((each) => each[Symbol.asyncDispose]()));
      open = [];
    },
  );

  it('rotates the root while one HSM is away; that one catches up when it is back', async () => {
    const { seal } = await initialized([a(), b()]);
    const away = join(hsmB.directory, 'tokens-away');
    renameSync(join(hsmB.directory, 'tokens'), away);
    rmSync(join(hsmB.directory, 'softhsm2.conf'));
    await seal.rotateRoot({ reseal });
    expect(records.contents.has('seal/catch-up/2')).toBe(true);
    const conf = `directories.tokendir = ${join(hsmB.directory, 'tokens')}\n`;
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(hsmB.directory, 'softhsm2.conf'), conf);
    renameSync(away, join(hsmB.directory, 'tokens'));
    const other = node([b()]);
    expect(await other.unseal()).toMatchObject({ kind: 'unsealed' });
    expect(heldRoot(other)).toBe(heldRoot(seal));
    await other.prove();
    await other.prove();
    expect(other.status().slots[1]).toMatchObject({ name: 'hsm-b', health: 'ok' });
    expect(records.contents.has('seal/catch-up/2')).toBe(false);
  });

  it('migrates from shares to an HSM without a stop', async () => {
    clusterId = hex(crypto.getRandomValues(new Uint8Array(16)));
    const seal = node([{ kind: 'shamir', name: 'people' }]);
    await seal.initialize({ shares: 3, threshold: 2 });
    expect(seal.status().restartReady).toBe(false);
    await seal.addSlot(a());
    expect(seal.status().restartReady).toBe(true);
    await seal.removeSlot('people');
    const restarted = node([a()]);
    restarted.start();
    const unsealed = new Promise<void>((resolve) => restarted.onUnsealed(() => resolve()));
    await unsealed;
    expect(heldRoot(restarted)).toBe(heldRoot(seal));
  });

  it.skipIf(!spyInstalled)('presents a wrong PIN once in the whole cluster', async () => {
    await initialized([a()]);
    const watch = spied(tokenA, hsmA.directory);
    const wrong = hsmA.pinFile('000000', 'wrong-pin');
    const bad = () => ({ ...a(), token: watch.address, pin: pinFromFile(wrong) });
    // Three nodes, three processes as far as the guards know, all started by one bad roll-out.
    const nodes = [1, 2, 3].map((nodeId) => node([bad()], { nodeId }));
    for (let round = 0; round < 3; round++) {
      const outcomes = await Promise.all(nodes.map((each) => each.unseal()));
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(['waiting', 'waiting', 'waiting']);
    }
    expect(watch.logins()).toBe(1);
    for (const each of nodes) {
      expect(each.status().slots[0]?.health).toMatch(/^(pin-rejected|unreachable)$/);
    }
    // Neither is it presented by a node that was restarted and has forgotten everything.
    const restarted = node([bad()], { nodeId: 2 });
    await restarted.unseal();
    expect(watch.logins()).toBe(1);
    expect(restarted.status().slots[0]).toMatchObject({ health: 'pin-rejected' });
    // What is replicated about it is not enough to guess PINs with.
    const stored = [...records.contents.values()].map((bytes) => Buffer.from(bytes).toString());
    expect(stored.join()).not.toContain('000000');
    expect(
      JSON.parse(Buffer.from(records.read('seal/pin/hsm-a') ?? utf8Bytes('')).toString()),
    ).toEqual({
      rejected: [expect.stringMatching(/^[0-9a-f]{2}$/)],
    });

    hsmA.pinFile(PIN, 'wrong-pin');
    expect(await restarted.unseal()).toMatchObject({ kind: 'unsealed' });
  });

  it('does not present a PIN while it cannot tell the others about it', async () => {
    await initialized([a()]);
    records.writeFailure = new Error('no quorum');
    const watch = spied(tokenA, hsmA.directory);
    const before = watch.logins();
    const seal = node([{ ...a(), token: watch.address }]);
    // However often: the lack of a quorum is not held against the device.
    for (let tries = 0; tries < 5; tries++) {
      expect(await seal.unseal()).toMatchObject({ kind: 'waiting' });
    }
    expect(seal.status().reason).toContain('no quorum');
    expect(watch.logins()).toBe(before);
    records.writeFailure = undefined;
    expect(await seal.unseal()).toMatchObject({ kind: 'unsealed' });
  });
});
