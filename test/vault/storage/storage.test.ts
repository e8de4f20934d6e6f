import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Barrier, loadSodium } from '../../../src/barrier/index.ts';
import { utf8Bytes, utf8Text } from '../../../src/lib/index.ts';
import {
  type Area,
  openStorageTransaction,
  openStorageView,
  type StorageTransaction,
  type StorageView,
  systemKey,
} from '../../../src/vault/storage/index.ts';
import { barrierOf, codeOf, mount, rootNamespace, tenant, uuid } from '../../barrier/fixture.ts';
import { MemoryStore } from './memory-store.ts';

beforeAll(loadSodium);

const area: Area = { namespace: rootNamespace, mount, kind: 1 };

function write(store: MemoryStore, barrier: Barrier, act: (tx: StorageTransaction) => void) {
  using tx = openStorageTransaction({ view: store.view(), barrier });
  act(tx);
  return store.apply(tx.toTransaction());
}

const storeOf = (barrier: Barrier, paths: readonly string[]) => {
  const store = new MemoryStore();
  write(store, barrier, (tx) => {
    for (const path of paths) tx.put(area, path.split('/'), utf8Bytes(`value of ${path}`));
  });
  return store;
};

async function all(view: StorageView, folder: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path, value } of view.walk(area, folder)) {
    found.push(`${path.join('/')}=${utf8Text(value)}`);
  }
  return found.sort();
}

describe('a storage view', () => {
  test('gives what was put at a path, and nothing at another', () => {
    using barrier = barrierOf(1);
    const store = storeOf(barrier, ['a/b']);
    using view = openStorageView({ view: store.view(), barrier });
    expect(utf8Text(view.get(area, ['a', 'b']) ?? new Uint8Array())).toBe('value of a/b');
    expect(view.get(area, ['a'])).toBeUndefined();
    expect(view.get({ ...area, kind: 2 }, ['a', 'b'])).toBeUndefined();
    expect(view.get({ ...area, namespace: tenant }, ['a', 'b'])).toBeUndefined();
  });

  test('tells whether a record is there without opening it', () => {
    using barrier = barrierOf(1);
    const store = storeOf(barrier, ['a/b']);
    store.rows = store.rows.map((row) => ({ ...row, value: new Uint8Array(3) }));
    using view = openStorageView({ view: store.view(), barrier });
    expect([view.has(area, ['a', 'b']), view.has(area, ['a'])]).toEqual([true, false]);
    expect(codeOf(() => view.get(area, ['a', 'b']))).toBe('barrier.tampered');
  });

  test('a transaction that only asked whether a record is there conflicts when it comes', () => {
    using barrier = barrierOf(1);
    const store = storeOf(barrier, ['a']);
    using tx = openStorageTransaction({ view: store.view(), barrier });
    expect(tx.has(area, ['b'])).toBe(false);
    tx.put(area, ['c'], utf8Bytes('c'));
    expect(tx.has(area, ['c'])).toBe(true);
    tx.delete(area, ['a']);
    expect(tx.has(area, ['a'])).toBe(false);
    write(store, barrier, (other) => other.put(area, ['b'], utf8Bytes('b')));
    expect(store.apply(tx.toTransaction()).kind).toBe('conflict');
  });

  test('lists direct children sorted, folders with a slash, a record and folder of one name twice', async () => {
    using barrier = barrierOf(2);
    const store = storeOf(barrier, ['z', 'b/x/y', 'b/w', 'a', 'a/1', 'c/d/e/f']);
    using view = openStorageView({ view: store.view(), barrier });
    const list = await view.list(area, [], { limit: 100 });
    expect(list).toEqual({ names: ['a', 'a/', 'b/', 'c/', 'z'], more: false });
    expect((await view.list(area, ['b'], { limit: 100 })).names).toEqual(['w', 'x/']);
    expect((await view.list(area, ['nowhere'], { limit: 100 })).names).toEqual([]);
  });

  test('pages through any folder without losing or repeating a name', async () => {
    using barrier = barrierOf(3);
    const paths = fc.uniqueArray(
      fc
        .array(fc.constantFrom('a', 'b', 'c', 'dd', 'é', '\u{1f600}', 'zz', '0'), {
          minLength: 1,
          maxLength: 3,
        })
        .map((path) => path.join('/')),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(paths, fc.integer({ min: 1, max: 7 }), async (stored, limit) => {
        const expected = new Set<string>();
        for (const path of stored) {
          const [first = '', ...rest] = path.split('/');
          expected.add(rest.length > 0 ? `${first}/` : first);
        }
        using view = openStorageView({ view: storeOf(barrier, stored).view(), barrier });
        const got: string[] = [];
        let after: string | undefined;
        for (let more = true; more; after = got.at(-1)) {
          const page = await view.list(
            area,
            [],
            after === undefined ? { limit } : { after, limit },
          );
          expect(page.names.length).toBeLessThanOrEqual(limit);
          got.push(...page.names);
          more = page.more;
        }
        expect(got).toEqual([...expected].sort((a, b) => (a < b ? -1 : 1)));
      }),
      { numRuns: 60 },
    );
  });

  test('listing a folder of large subtrees costs by its children, not by what lies below them', async () => {
    using barrier = barrierOf(4);
    const store = new MemoryStore();
    write(store, barrier, (tx) => {
      for (const top of ['a', 'b', 'c']) {
        for (let i = 0; i < 300; i++) tx.put(area, [top, `x${i}`], new Uint8Array(1));
      }
    });
    using view = openStorageView({ view: store.view(), barrier });
    store.asked.entries = 0;
    expect((await view.list(area, [], { limit: 10 })).names).toEqual(['a/', 'b/', 'c/']);
    expect(store.asked.entries).toBeLessThan(100);
  });

  test('a get asks the store for one key', () => {
    using barrier = barrierOf(5);
    const store = storeOf(barrier, ['a/b/c/d/e']);
    using view = openStorageView({ view: store.view(), barrier });
    store.asked.keys = 0;
    view.get(area, ['a', 'b', 'c', 'd', 'e']);
    expect(store.asked).toMatchObject({ keys: 1 });
  });

  test('walks everything below a folder, and not its neighbours', async () => {
    using barrier = barrierOf(6);
    const store = storeOf(barrier, ['a', 'a/b', 'a/b/c', 'ab', 'b/a']);
    using view = openStorageView({ view: store.view(), barrier });
    expect(await all(view, ['a'])).toEqual(['a/b/c=value of a/b/c', 'a/b=value of a/b']);
  });

  test('a value that was swapped with another on disk is refused', () => {
    using barrier = barrierOf(7);
    const store = storeOf(barrier, ['a', 'b']);
    const [first, second] = store.rows;
    if (first === undefined || second === undefined) throw new Error('Two rows were put');
    store.rows = [
      { ...first, value: second.value },
      { ...second, value: first.value },
    ];
    using view = openStorageView({ view: store.view(), barrier });
    expect(codeOf(() => view.get(area, ['a']))).toBe('barrier.tampered');
    expect(codeOf(() => view.get(area, ['b']))).toBe('barrier.tampered');
  });

  test('no name or value can be read in what is stored', () => {
    using barrier = barrierOf(8);
    const store = storeOf(barrier, ['payments/database/password']);
    for (const word of ['payments', 'database', 'password', 'value']) {
      expect(store.text()).not.toContain(Buffer.from(word).toString('hex'));
    }
  });

  test('disposing gives the store its view back', () => {
    using barrier = barrierOf(9);
    const store = new MemoryStore();
    const view = openStorageView({ view: store.view(), barrier });
    const tx = openStorageTransaction({ view: store.view(), barrier });
    expect(store.openViews).toBe(2);
    view[Symbol.dispose]();
    tx[Symbol.dispose]();
    expect(store.openViews).toBe(0);
  });
});

describe('a storage transaction', () => {
  test('reads its own writes and deletes, and writes nothing before it is proposed', async () => {
    using barrier = barrierOf(20);
    const store = storeOf(barrier, ['a', 'f/1', 'f/2', 'f/g/3']);
    using tx = openStorageTransaction({ view: store.view(), barrier });
    tx.put(area, ['a'], utf8Bytes('new'));
    tx.delete(area, ['f', '1']);
    tx.put(area, ['f', '9'], utf8Bytes('nine'));
    tx.deleteBelow(area, ['f', 'g']);
    expect(utf8Text(tx.get(area, ['a']) ?? new Uint8Array())).toBe('new');
    expect(tx.get(area, ['f', '1'])).toBeUndefined();
    expect(tx.get(area, ['f', 'g', '3'])).toBeUndefined();
    expect((await tx.list(area, ['f'], { limit: 9 })).names).toEqual(['2', '9']);
    expect((await tx.list(area, [], { limit: 9 })).names).toEqual(['a', 'f/']);
    expect(await all(tx, [])).toEqual(['a=new', 'f/2=value of f/2', 'f/9=nine']);
    using view = openStorageView({ view: store.view(), barrier });
    expect(await all(view, ['f'])).toHaveLength(3);
  });

  test('what it shows before it commits is what a view shows after', async () => {
    using barrier = barrierOf(21);
    const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });
    const step = fc.record({ kind: fc.constantFrom('put', 'put', 'delete', 'below'), path });
    await fc.assert(
      fc.asyncProperty(
        fc.array(path, { maxLength: 12 }),
        fc.array(step, { maxLength: 10 }),
        path,
        async (before, steps, folder) => {
          const store = storeOf(
            barrier,
            before.map((one) => one.join('/')),
          );
          using tx = openStorageTransaction({ view: store.view(), barrier });
          steps.forEach((one, i) => {
            if (one.kind === 'put') tx.put(area, one.path, utf8Bytes(`new ${i}`));
            if (one.kind === 'delete') tx.delete(area, one.path);
            if (one.kind === 'below') tx.deleteBelow(area, one.path.slice(1));
          });
          const shown = [
            await all(tx, []),
            await tx.list(area, [], { limit: 100 }),
            await tx.list(area, folder, { limit: 100 }),
          ];
          expect(store.apply(tx.toTransaction()).kind).toBe('committed');
          using view = openStorageView({ view: store.view(), barrier });
          expect([
            await all(view, []),
            await view.list(area, [], { limit: 100 }),
            await view.list(area, folder, { limit: 100 }),
          ]).toEqual(shown);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('is refused when something that it read has changed, also something that was not there', () => {
    using barrier = barrierOf(22);
    for (const path of [['a'], ['absent']]) {
      const store = storeOf(barrier, ['a']);
      using tx = openStorageTransaction({ view: store.view(), barrier });
      tx.get(area, path);
      tx.put(area, ['b'], utf8Bytes('because of it'));
      write(store, barrier, (other) => other.put(area, path, utf8Bytes('meanwhile')));
      expect(store.apply(tx.toTransaction()).kind).toBe('conflict');
    }
  });

  test('is refused when a folder that it listed or walked has a new record', async () => {
    using barrier = barrierOf(23);
    const acts: readonly ((tx: StorageTransaction) => Promise<unknown>)[] = [
      (tx) => tx.list(area, ['f'], { limit: 1 }),
      (tx) => all(tx, ['f']),
    ];
    for (const act of acts) {
      const store = storeOf(barrier, ['f/1']);
      using tx = openStorageTransaction({ view: store.view(), barrier });
      await act(tx);
      tx.put(area, ['count'], utf8Bytes('1'));
      write(store, barrier, (other) => other.put(area, ['f', 'z', '2'], utf8Bytes('new')));
      expect(store.apply(tx.toTransaction()).kind).toBe('conflict');
    }
  });

  test('a write that read nothing depends on the keyring alone', () => {
    using barrier = barrierOf(24);
    const store = storeOf(barrier, ['a']);
    using tx = openStorageTransaction({ view: store.view(), barrier });
    tx.put(area, ['a'], utf8Bytes('blind'));
    tx.get(area, ['a']);
    write(store, barrier, (other) => other.put(area, ['a'], utf8Bytes('meanwhile')));
    expect(tx.toTransaction().reads).toEqual([{ key: systemKey('keyring'), revision: 0 }]);
    expect(store.apply(tx.toTransaction()).kind).toBe('committed');
  });

  test('is refused when the keyring changed after it sealed, so no value stays under a swept epoch', () => {
    using barrier = barrierOf(24);
    const store = storeOf(barrier, ['a']);
    using tx = openStorageTransaction({ view: store.view(), barrier });
    tx.put(area, ['slow'], utf8Bytes('sealed under the old epoch'));
    using rotation = openStorageTransaction({ view: store.view(), barrier });
    rotation.putSystem('keyring', utf8Bytes('with a new epoch'));
    store.apply(rotation.toTransaction());
    expect(store.apply(tx.toTransaction()).kind).toBe('conflict');
  });

  test('carries deadlines, request id and receipt', () => {
    using barrier = barrierOf(25);
    const store = new MemoryStore();
    using tx = openStorageTransaction({ view: store.view(), barrier });
    expect(tx.hasWrites).toBe(false);
    tx.put(area, ['lease'], utf8Bytes('x'), { expiresAtMs: 12_345 });
    expect(tx.hasWrites).toBe(true);
    const made = tx.toTransaction(uuid(9), utf8Bytes('receipt'));
    expect([made.requestId, made.receipt]).toEqual([uuid(9), utf8Bytes('receipt')]);
    store.apply(made);
    expect(store.rows[0]?.expiresAtMs).toBe(12_345);
  });

  test('deletes a whole mount or namespace, and what it put there before, but not after', async () => {
    using barrier = barrierOf(26);
    const store = storeOf(barrier, ['a', 'b/c']);
    const elsewhere: Area = { ...area, mount: uuid(8) };
    write(store, barrier, (tx) => tx.put(elsewhere, ['kept'], utf8Bytes('kept')));
    write(store, barrier, (tx) => {
      tx.put(area, ['early'], utf8Bytes('early'));
      tx.deleteAll({ namespace: rootNamespace, mount });
      tx.put(area, ['late'], utf8Bytes('late'));
      expect(tx.get(area, ['a'])).toBeUndefined();
    });
    using view = openStorageView({ view: store.view(), barrier });
    expect(await all(view, [])).toEqual(['late=late']);
    expect(view.get(elsewhere, ['kept'])).toBeDefined();
    write(store, barrier, (tx) => tx.deleteAll({ namespace: rootNamespace }));
    expect(store.rows).toEqual([]);
  });

  test('reads and writes records of the cluster in clear, with the same guarantees', () => {
    using barrier = barrierOf(27);
    const store = new MemoryStore();
    using tx = openStorageTransaction({ view: store.view(), barrier });
    expect(tx.getSystem('keyring')).toBeUndefined();
    tx.putSystem('keyring', utf8Bytes('blob'));
    expect(tx.getSystem('keyring')).toEqual(utf8Bytes('blob'));
    const made = tx.toTransaction();
    expect(store.apply(made).kind).toBe('committed');
    expect(store.apply(made).kind, 'it had read that there was none').toBe('conflict');
    expect(utf8Text(store.rows[0]?.key ?? new Uint8Array())).toBe('\u0001keyring');
  });

  test('takes a bounded number of writes', () => {
    using barrier = barrierOf(28);
    using tx = openStorageTransaction({ view: new MemoryStore().view(), barrier });
    const putMany = () => {
      for (let i = 0; i < 17_000; i++) tx.putSystem(`r${i}`, new Uint8Array(0));
    };
    expect(codeOf(putMany)).toBe('store.transaction-too-large');
  });
});
