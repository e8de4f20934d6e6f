import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  addEpoch,
  addNamespaceKey,
  dropEpoch,
  EPOCHS_MAX,
  Keyring,
  loadSodium,
  NAMESPACES_MAX,
  newKeyring,
  openKeyring,
  removeNamespaceKey,
  sealKeyring,
} from '../../src/barrier/index.ts';
import { hex, SecretBytes, SeededRandom, utf8Bytes } from '../../src/lib/index.ts';
import { codeOf, flipBit, keyringOf, tenant, uuid } from './fixture.ts';

beforeAll(loadSodium);

const root = SecretBytes.take(new SeededRandom(99).bytes(32));
const otherRoot = SecretBytes.take(new SeededRandom(98).bytes(32));
const context = utf8Bytes('cluster 0123, root 1');

const textOf = (keyring: Keyring) => {
  const { generation, epoch, secretsKey, epochKeys, namespaceKeys } = keyring.reveal();
  const keys = [...epochKeys, ...namespaceKeys].map(([name, key]) => `${name}=${hex(key)}`);
  return [generation, epoch, hex(secretsKey), ...keys].join(' ');
};

describe('the sealed keyring', () => {
  test('opens to what it was, whatever was added and removed', () => {
    const steps = fc.array(fc.constantFrom('epoch', 'namespace', 'remove', 'drop'), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(steps, fc.nat(1000), (names, seed) => {
        const random = new SeededRandom(seed);
        let keyring = newKeyring(random);
        let generation = 1;
        names.forEach((name, i) => {
          const before = keyring;
          if (name === 'epoch') keyring = addEpoch(keyring, random);
          if (name === 'namespace') keyring = addNamespaceKey(keyring, uuid(i), random);
          if (name === 'remove') keyring = removeNamespaceKey(keyring, uuid(i - 1));
          if (name === 'drop' && keyring.epoch > 1) keyring = dropEpoch(keyring, keyring.epoch - 1);
          if (keyring !== before) generation += 1;
        });
        const blob = sealKeyring(root, keyring, context, random);
        expect(textOf(openKeyring(root, blob, context))).toBe(textOf(keyring));
        expect(keyring.generation).toBe(generation);
      }),
    );
  });

  test('another root or another context is refused by the commitment', () => {
    using keyring = keyringOf(1);
    const blob = sealKeyring(root, keyring, context, new SeededRandom(5));
    expect(codeOf(() => openKeyring(otherRoot, blob, context))).toBe('barrier.wrong-key');
    expect(codeOf(() => openKeyring(root, blob, utf8Bytes('cluster 4567')))).toBe(
      'barrier.wrong-key',
    );
  });

  test('any changed bit and any truncation is refused', () => {
    using keyring = keyringOf(2);
    const blob = sealKeyring(root, keyring, context, new SeededRandom(5));
    const refused = ['barrier.wrong-key', 'barrier.tampered'];
    for (let bit = 0; bit < blob.length * 8; bit++) {
      expect(refused).toContain(codeOf(() => openKeyring(root, flipBit(blob, bit), context)));
    }
    for (let length = 0; length < blob.length; length++) {
      expect(refused).toContain(codeOf(() => openKeyring(root, blob.subarray(0, length), context)));
    }
  });

  test('holds no key in clear', () => {
    using keyring = keyringOf(3);
    const blob = Buffer.from(sealKeyring(root, keyring, context, new SeededRandom(5)));
    const { namespaceKeys, epochKeys, secretsKey } = keyring.reveal();
    for (const key of [secretsKey, ...namespaceKeys.values(), ...epochKeys.values()]) {
      expect(blob.includes(Buffer.from(key))).toBe(false);
    }
    expect(JSON.stringify(keyring)).toBe('"[keyring]"');
  });

  test('stays one small Raft entry with as many namespaces as it takes, and takes no more', () => {
    const random = new SeededRandom(4);
    const namespaceKeys = new Map<string, Uint8Array>();
    for (let i = 0; i < NAMESPACES_MAX; i++) {
      namespaceKeys.set(hex(random.bytes(16)), random.bytes(32));
    }
    const full = new Keyring({ ...newKeyring(random).reveal(), namespaceKeys });
    const blob = sealKeyring(root, full, context, random);
    expect(blob.length).toBeLessThan(300 * 1024);
    expect(textOf(openKeyring(root, blob, context))).toBe(textOf(full));
    expect(codeOf(() => addNamespaceKey(full, tenant, random))).toBe('barrier.keyring-full');
  });

  test('has a bound of epochs, and never drops the active one', () => {
    const random = new SeededRandom(6);
    let keyring = newKeyring(random);
    while (keyring.epochs.length < EPOCHS_MAX) keyring = addEpoch(keyring, random);
    expect(codeOf(() => addEpoch(keyring, random))).toBe('barrier.keyring-full');
    expect(codeOf(() => dropEpoch(keyring, EPOCHS_MAX))).toBe('request.invalid');
    expect(addEpoch(dropEpoch(keyring, 1), random).epoch).toBe(EPOCHS_MAX + 1);
  });

  test('adding a namespace that is there keeps its key', () => {
    const keyring = keyringOf(7);
    const again = addNamespaceKey(keyring, tenant, new SeededRandom(8));
    const keyOf = (one: Keyring) => hex(one.reveal().namespaceKeys.get(hex(tenant)) ?? uuid(0));
    expect(keyOf(again)).toBe(keyOf(keyring));
    expect(again.hasNamespace(tenant)).toBe(true);
    expect(again.hasNamespace(uuid(77))).toBe(false);
  });
});
