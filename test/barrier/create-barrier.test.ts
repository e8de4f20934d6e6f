import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  addEpoch,
  createBarrier,
  dropEpoch,
  loadSodium,
  newKeyring,
  type Place,
  removeNamespaceKey,
  sealedRange,
} from '../../src/barrier/index.ts';
import { compareBytes, equalBytes, hex, SeededRandom, utf8Bytes } from '../../src/lib/index.ts';
import {
  anyPlace,
  anySegment,
  barrierOf,
  codeOf,
  flipBit,
  keyringOf,
  placeOf,
  rootNamespace,
  tenant,
} from './fixture.ts';

beforeAll(loadSodium);

const within = (key: Uint8Array, range: { start: Uint8Array; end: Uint8Array }) =>
  compareBytes(range.start, key) <= 0 && compareBytes(key, range.end) < 0;
const placeText = (place: Place) =>
  JSON.stringify([hex(place.namespace), hex(place.mount), place.kind, place.path]);

describe('sealed values', () => {
  test('any value opens at its own place', () => {
    using barrier = barrierOf(1);
    fc.assert(
      fc.property(anyPlace, fc.uint8Array({ maxLength: 2000 }), (place, value) =>
        equalBytes(barrier.openValue(place, barrier.sealValue(place, value)), value),
      ),
    );
  });

  test('any single changed bit is found', () => {
    using barrier = barrierOf(2);
    const value = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(anyPlace, value, fc.nat(8 * 300 - 1), (place, plaintext, bit) => {
        const sealed = barrier.sealValue(place, plaintext);
        expect(codeOf(() => barrier.openValue(place, flipBit(sealed, bit)))).toBe(
          'barrier.tampered',
        );
      }),
    );
  });

  test('every bit of the header and every truncation is covered', () => {
    using barrier = barrierOf(3);
    const place = placeOf('a', 'b');
    const sealed = barrier.sealValue(place, utf8Bytes('value'));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      expect(codeOf(() => barrier.openValue(place, flipBit(sealed, bit)))).toBe('barrier.tampered');
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(codeOf(() => barrier.openValue(place, sealed.subarray(0, length)))).toBe(
        'barrier.tampered',
      );
    }
    const longer = new Uint8Array([...sealed, 0]);
    expect(codeOf(() => barrier.openValue(place, longer))).toBe('barrier.tampered');
  });

  test('a value moved to any other place does not open', () => {
    using barrier = barrierOf(4);
    fc.assert(
      fc.property(anyPlace, anyPlace, (here, there) => {
        fc.pre(placeText(here) !== placeText(there));
        const sealed = barrier.sealValue(here, utf8Bytes('v'));
        expect(codeOf(() => barrier.openValue(there, sealed))).toBe('barrier.tampered');
      }),
    );
  });

  test('moving a value between neighbours, kinds, mounts, depths or tenants is refused', () => {
    using barrier = barrierOf(5);
    const home = placeOf('app', 'db');
    const sealed = barrier.sealValue(home, utf8Bytes('v'));
    const others: readonly Place[] = [
      placeOf('app', 'dc'),
      placeOf('appdb'),
      placeOf('app', 'db', 'x'),
      placeOf('app/db'),
      placeOf('db', 'app'),
      { ...home, kind: 4 },
      { ...home, mount: new Uint8Array(16) },
      { ...home, namespace: tenant },
    ];
    for (const other of others) {
      expect(codeOf(() => barrier.openValue(other, sealed))).toBe('barrier.tampered');
    }
  });

  test('another cluster cannot open it, and the commitment says so before the cipher is tried', () => {
    using barrier = barrierOf(6);
    using other = barrierOf(600);
    const sealed = barrier.sealValue(placeOf('a'), utf8Bytes('v'));
    expect(() => other.openValue(placeOf('a'), sealed)).toThrow(
      /another place or under another key/,
    );
  });

  test('the same value twice gives different bytes', () => {
    using barrier = barrierOf(7);
    const once = barrier.sealValue(placeOf('a'), utf8Bytes('v'));
    const twice = barrier.sealValue(placeOf('a'), utf8Bytes('v'));
    expect(hex(once)).not.toBe(hex(twice));
  });

  test('a cloned machine repeats a nonce only for the same plaintext', () => {
    // Two barriers with the same keys and the same state of randomness: what a clone of memory is.
    using original = barrierOf(8);
    using clone = barrierOf(8);
    const nonce = (sealed: Uint8Array) => hex(sealed.subarray(5, 29));
    const a = original.sealValue(placeOf('a'), utf8Bytes('one'));
    const b = clone.sealValue(placeOf('a'), utf8Bytes('two'));
    expect(nonce(a)).not.toBe(nonce(b));
  });

  test('a stuck source of randomness does not repeat a nonce either', () => {
    using keyring = keyringOf(9);
    const stuck = { bytes: (count: number) => new Uint8Array(count), below: () => 0 };
    using barrier = createBarrier({ keyring, random: stuck });
    const nonces = new Set<string>();
    for (let i = 0; i < 100; i++) {
      nonces.add(hex(barrier.sealValue(placeOf('a'), utf8Bytes('v')).subarray(5, 29)));
    }
    expect(nonces.size).toBe(100);
  });
});

describe('epochs', () => {
  test('a new epoch seals new values while old ones still open', () => {
    using keyring = keyringOf(10);
    using barrier = createBarrier({ keyring, random: new SeededRandom(1) });
    const old = barrier.sealValue(placeOf('a'), utf8Bytes('old'));
    const place = barrier.sealPlace(placeOf('a'));
    using next = addEpoch(keyring, new SeededRandom(2));
    barrier.useKeyring(next);
    const fresh = barrier.sealValue(placeOf('a'), utf8Bytes('new'));
    expect([barrier.epochOf(old), barrier.epochOf(fresh), barrier.epoch]).toEqual([1, 2, 2]);
    expect(barrier.openValue(placeOf('a'), old)).toEqual(utf8Bytes('old'));
    expect(barrier.openValue(placeOf('a'), fresh)).toEqual(utf8Bytes('new'));
    expect(hex(barrier.sealPlace(placeOf('a'))), 'places stay where they were').toBe(hex(place));
  });

  test('a value relabelled with another epoch does not open, nor one of a dropped epoch', () => {
    using keyring = keyringOf(11);
    using next = addEpoch(keyring, new SeededRandom(2));
    using before = createBarrier({ keyring, random: new SeededRandom(1) });
    using barrier = createBarrier({ keyring: next, random: new SeededRandom(1) });
    const old = before.sealValue(placeOf('a'), utf8Bytes('old'));
    const relabelled = Uint8Array.from(old);
    relabelled[4] = 2;
    expect(codeOf(() => barrier.openValue(placeOf('a'), relabelled))).toBe('barrier.tampered');
    using dropped = dropEpoch(next, 1);
    barrier.useKeyring(dropped);
    expect(() => barrier.openValue(placeOf('a'), old)).toThrow(/has no epoch 1/);
  });

  test('an older keyring is not taken back', () => {
    using keyring = keyringOf(12);
    using next = addEpoch(keyring, new SeededRandom(2));
    using barrier = createBarrier({ keyring: next, random: new SeededRandom(1) });
    expect(codeOf(() => barrier.useKeyring(keyring))).toBe('barrier.keyring-stale');
    expect(barrier.epoch).toBe(2);
  });
});

describe('sealed places', () => {
  test('a key that was handed out keeps its bytes, whatever is sealed and opened after', () => {
    using barrier = barrierOf(19, 8);
    const names = Array.from({ length: 40 }, (_, i) => placeOf('folder', `name-${i}`));
    const keys = names.map((place) => barrier.sealPlace(place));
    const before = keys.map(hex);
    for (const [i, place] of names.entries()) {
      const sealed = barrier.sealValue(place, utf8Bytes(`value ${i}`));
      expect(barrier.openValue(place, sealed)).toEqual(utf8Bytes(`value ${i}`));
      expect(barrier.openPlace(keys[i] ?? sealed).path).toEqual(place.path);
    }
    expect(keys.map(hex)).toEqual(before);
    expect(names.map((place) => hex(barrier.sealPlace(place)))).toEqual(before);
  });

  test('names that stay in use do not keep memory of the names that were sealed between them', () => {
    using barrier = barrierOf(19, 1000);
    const used: Place[] = [];
    for (let i = 0; i < 40; i++) {
      used.push(placeOf(`used-${i}`));
      for (let once = 0; once < 250; once++) barrier.sealPlace(placeOf(`once-${i}-${once}`));
      for (const place of used) barrier.sealPlace(place);
    }
    const blocks = new Set(used.map((place) => barrier.sealPlace(place).buffer));
    expect(blocks.size).toBeLessThan(10);
  });

  test('a bad place is refused also where a good one like it is known', () => {
    using barrier = barrierOf(18);
    barrier.sealPlace(placeOf('a', 'b'));
    const bad: readonly Place[] = [
      { ...placeOf('a', 'b'), kind: 3.5 },
      { ...placeOf('a', 'b'), namespace: rootNamespace.subarray(1) },
      { ...placeOf('a', 'b'), mount: new Uint8Array(17).fill(7) },
      placeOf('a', 'b', ''),
      placeOf('a', '', 'b'),
    ];
    for (const place of bad) {
      expect(codeOf(() => barrier.sealPlace(place))).toBe('request.invalid');
    }
  });

  test('any place opens to itself, with and without a cache', () => {
    using barrier = barrierOf(20);
    using forgetful = barrierOf(20, 1);
    fc.assert(
      fc.property(anyPlace, (place) => {
        const key = barrier.sealPlace(place);
        expect(hex(forgetful.sealPlace(place))).toBe(hex(key));
        expect(placeText(barrier.openPlace(key))).toBe(placeText(place));
        expect(placeText(forgetful.openPlace(key))).toBe(placeText(place));
      }),
    );
  });

  test('a name in a store key is nowhere to be read', () => {
    using barrier = barrierOf(21);
    const key = Buffer.from(barrier.sealPlace(placeOf('payments', 'database-password')));
    for (const name of ['payments', 'pay', 'database', 'password']) {
      expect(key.includes(name)).toBe(false);
    }
  });

  test('one name in two folders looks unrelated', () => {
    using barrier = barrierOf(22);
    const tail = (...path: string[]) => hex(barrier.sealPlace(placeOf(...path)).slice(-40));
    expect(tail('a', 'same')).not.toBe(tail('b', 'same'));
    expect(tail('a', 'same')).toBe(tail('a', 'same'));
  });

  test('what lies below a folder is exactly its range', () => {
    using barrier = barrierOf(23);
    const path = fc.array(fc.constantFrom('a', 'b', 'ab', 'c'), { maxLength: 4 });
    fc.assert(
      fc.property(path, path, (folder, other) => {
        const isBelow =
          other.length > folder.length && folder.every((segment, i) => segment === other[i]);
        const range = barrier.rangeBelow(placeOf(...folder));
        expect(within(barrier.sealPlace(placeOf(...other)), range)).toBe(isBelow);
      }),
    );
  });

  test('the widest and narrowest names stay within the range of their folder', () => {
    using barrier = barrierOf(24);
    const range = barrier.rangeBelow(placeOf('f'));
    for (const name of ['x', 'x'.repeat(512), 'é'.repeat(256), '\u{10ffff}'.repeat(128)]) {
      const place = placeOf('f', name);
      expect(within(barrier.sealPlace(place), range)).toBe(true);
      expect(barrier.openPlace(barrier.sealPlace(place)).path).toEqual(['f', name]);
    }
  });

  test('a folder opens its direct child of any key below it', () => {
    using barrier = barrierOf(25);
    const folder = placeOf('top');
    fc.assert(
      fc.property(fc.array(anySegment, { minLength: 1, maxLength: 4 }), (below) => {
        const child = barrier.childOf(folder, barrier.sealPlace(placeOf('top', ...below)));
        expect(child.name).toBe(below[0]);
        expect(child.isDeeper).toBe(below.length > 1);
        expect(hex(child.key)).toBe(hex(barrier.sealPlace(placeOf('top', below[0] ?? ''))));
      }),
    );
    const elsewhere = barrier.sealPlace(placeOf('other', 'x'));
    expect(codeOf(() => barrier.childOf(folder, elsewhere))).toBe('barrier.tampered');
  });

  test('any changed bit of a sealed name or its head is found', () => {
    using barrier = barrierOf(26);
    const key = barrier.sealPlace(placeOf('alpha', 'beta'));
    barrier.openPlace(key);
    for (let bit = 0; bit < key.length * 8; bit++) {
      expect(codeOf(() => barrier.openPlace(flipBit(key, bit)))).toBe('barrier.tampered');
    }
    for (let length = 0; length < key.length; length++) {
      const cut = key.subarray(0, length);
      const isAncestor = [34, key.length - 42].includes(length);
      expect(codeOf(() => barrier.openPlace(cut))).toBe(isAncestor ? 'none' : 'barrier.tampered');
    }
  });

  test('a sealed name moved into another folder does not open', () => {
    using barrier = barrierOf(27);
    const a = barrier.sealPlace(placeOf('a', 'x'));
    const b = barrier.sealPlace(placeOf('b'));
    const moved = new Uint8Array([...b, ...a.slice(b.length)]);
    expect(codeOf(() => barrier.openPlace(moved))).toBe('barrier.tampered');
  });

  test('bad places are refused by name of the rule, and names that would share a place too', () => {
    using barrier = barrierOf(28);
    const bad: readonly Place[] = [
      placeOf('a', ''),
      placeOf('x'.repeat(513)),
      placeOf('é'.repeat(257)),
      placeOf('\ud800'),
      placeOf(...Array.from({ length: 65 }, () => 'a')),
      { ...placeOf('a'), kind: 256 },
      { ...placeOf('a'), kind: 1.5 },
      { ...placeOf('a'), mount: new Uint8Array(15) },
    ];
    for (const place of bad) {
      expect(codeOf(() => barrier.sealPlace(place))).toBe('request.invalid');
      expect(codeOf(() => barrier.sealValue(place, new Uint8Array(1)))).toBe('request.invalid');
    }
  });

  test('a path whose store key would be too long for the store is refused', () => {
    using barrier = barrierOf(28);
    const names = (count: number) => Array.from({ length: count }, () => 'x'.repeat(500));
    expect(barrier.sealPlace(placeOf(...names(15))).length).toBeLessThan(8 * 1024);
    expect(codeOf(() => barrier.sealPlace(placeOf(...names(16))))).toBe('request.invalid');
  });

  test('the range of a namespace, mount or kind holds its own and no other', () => {
    using barrier = barrierOf(29);
    const full = new Uint8Array(16).fill(255);
    const place: Place = { ...placeOf('a'), mount: full, kind: 255 };
    const key = barrier.sealPlace(place);
    expect(within(key, sealedRange(rootNamespace))).toBe(true);
    expect(within(key, sealedRange(rootNamespace, full))).toBe(true);
    expect(within(key, sealedRange(rootNamespace, full, 255))).toBe(true);
    expect(within(key, sealedRange(rootNamespace, full, 254))).toBe(false);
    expect(within(key, sealedRange(tenant))).toBe(false);
    expect(within(key, sealedRange(rootNamespace, new Uint8Array(16)))).toBe(false);
  });
});

describe('keys in memory', () => {
  test('a namespace whose key was removed is closed, and others are not', () => {
    using keyring = keyringOf(30);
    using barrier = createBarrier({ keyring, random: new SeededRandom(1) });
    const theirs: Place = { ...placeOf('a'), namespace: tenant };
    const sealed = barrier.sealValue(theirs, utf8Bytes('v'));
    const key = barrier.sealPlace(theirs);
    using without = removeNamespaceKey(keyring, tenant);
    barrier.useKeyring(without);
    expect(codeOf(() => barrier.openValue(theirs, sealed))).toBe('barrier.no-namespace-key');
    expect(codeOf(() => barrier.sealPlace(theirs))).toBe('barrier.no-namespace-key');
    expect(codeOf(() => barrier.openPlace(key))).toBe('barrier.tampered');
    expect(codeOf(() => barrier.sealPlace(placeOf('a')))).toBe('none');
  });

  test('nothing works after disposal', () => {
    const barrier = barrierOf(31);
    const key = barrier.sealPlace(placeOf('a'));
    const sealed = barrier.sealValue(placeOf('a'), utf8Bytes('v'));
    barrier.openPlace(key);
    barrier[Symbol.dispose]();
    const acts = [
      () => barrier.sealPlace(placeOf('a')),
      () => barrier.openPlace(key),
      () => barrier.rangeBelow(placeOf('a')),
      () => barrier.sealValue(placeOf('a'), utf8Bytes('v')),
      () => barrier.openValue(placeOf('a'), sealed),
      () => barrier.deriveSecret('audit'),
      () => barrier.epoch,
    ];
    for (const act of acts) expect(codeOf(act)).toBe('barrier.sealed');
  });

  test('derived secrets differ by label and cluster, and outlive epochs', () => {
    using keyring = keyringOf(32);
    using barrier = createBarrier({ keyring, random: new SeededRandom(1) });
    using other = barrierOf(33);
    using audit = barrier.deriveSecret('audit');
    using tokens = barrier.deriveSecret('tokens');
    using foreign = other.deriveSecret('audit');
    using next = addEpoch(keyring, new SeededRandom(2));
    barrier.useKeyring(next);
    using later = barrier.deriveSecret('audit');
    expect(audit.equals(tokens)).toBe(false);
    expect(audit.equals(foreign)).toBe(false);
    expect(audit.equals(later)).toBe(true);
  });

  test('disposing a keyring overwrites its keys and leaves the barrier its own', () => {
    const keyring = newKeyring(new SeededRandom(34));
    const content = keyring.reveal();
    using barrier = createBarrier({ keyring, random: new SeededRandom(1) });
    keyring[Symbol.dispose]();
    const keys = [content.secretsKey, ...content.epochKeys.values()];
    expect(keys.every((key) => key.every((byte) => byte === 0))).toBe(true);
    using secret = barrier.deriveSecret('x');
    using blank = createBarrier({ keyring, random: new SeededRandom(1) });
    using blankSecret = blank.deriveSecret('x');
    expect(secret.equals(blankSecret)).toBe(false);
  });
});
