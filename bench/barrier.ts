// Processor time of what a put and a get of a secret do above the store: seal, open, encode, decode.
// No disk, no log, no network; the floor beside it is the bare cipher calls that cannot be left out.
//
//   npm run bench:barrier                     10,000 secrets of three segments, 256 bytes each
//   npm run bench:barrier -- --rounds 5
import { parseArgs } from 'node:util';
import sodium from 'libsodium-wrappers';
import {
  addNamespaceKey,
  createBarrier,
  loadSodium,
  newKeyring,
  sealedRange,
} from '../src/barrier/index.ts';
import { kvEngine } from '../src/engines/index.ts';
import { invariant, SystemRandom, utf8Bytes } from '../src/lib/index.ts';
import type { Revision, StoredValue, View } from '../src/store/index.ts';
import { quietLogger } from '../src/telemetry/index.ts';
import type { Operation } from '../src/vault/index.ts';
import { mountRef } from '../src/vault/mounts/mount-record.ts';
import { openStorageTransaction, openStorageView } from '../src/vault/storage/index.ts';
import { median } from './measure.ts';

const VALUE_BYTES = 256;
/** More than a secret keeps, so that each measured put also drops its oldest version. */
const VERSIONS_BEFORE = 11;

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    secrets: { type: 'string', default: '10000' },
  },
});
const rounds = Number(flags.rounds);
const secrets = Number(flags.secrets);
await loadSodium();

const random = new SystemRandom();
const namespace = random.bytes(16);
using empty = newKeyring(random);
using keyring = addNamespaceKey(empty, namespace, random);
using barrier = createBarrier({ keyring, random });
const mount = mountRef(namespace, 'secret', {
  uuid: Buffer.from(random.bytes(16)).toString('hex'),
  type: 'kv',
  description: '',
  options: {},
  createdAtMs: 0,
});

/** The least that a store can be: what it costs is not what is asked here. */
const rows = new Map<string, StoredValue>();
let revision = 0;
const nameOf = (key: Uint8Array) =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
const openView = (): View => ({
  revision: revision as Revision,
  get: (key) => rows.get(nameOf(key)),
  range: () => Promise.reject(new Error('This bench lists nothing')),
  [Symbol.dispose]: () => undefined,
});

function operation(name: string): Operation {
  const found = kvEngine().operations.find((one) => one.name === name);
  invariant(found !== undefined, 'The engine has the operation', { name });
  return found;
}
const put = operation('kv.put');
const get = operation('kv.get');
const context = {
  log: quietLogger,
  signal: new AbortController().signal,
  nowMs: Date.UTC(2026, 0, 1),
  namespace: { uuid: namespace, path: '' },
  random,
  mount,
  afterCommit: () => undefined,
};
const data = utf8Bytes(JSON.stringify({ password: 'x'.repeat(VALUE_BYTES - 15) }));
const paths = Array.from(
  { length: secrets },
  (_, i) => `team-${i % 50}/service-${i % 1000}/db-${i}`,
);

function putOne(path: string): void {
  const request = { mount: 'secret', path, data, cas: undefined };
  {
    // As the policies ask: is it there?
    using view = openStorageView({ view: openView(), barrier });
    put.exists(view, mount, request);
  }
  using storage = openStorageTransaction({ view: openView(), barrier });
  invariant(put.run.kind === 'write', 'A put writes', {});
  void put.run.handle({ ...context, storage } as never, request);
  const { writes } = storage.toTransaction();
  revision++;
  for (const write of writes) {
    if (write.kind === 'put') {
      rows.set(nameOf(write.key), { value: write.value, revision: revision as Revision });
    } else if (write.kind === 'delete') rows.delete(nameOf(write.key));
  }
}

function getOne(path: string): void {
  using storage = openStorageView({ view: openView(), barrier });
  invariant(get.run.kind === 'read', 'A get reads', {});
  void get.run.handle({ ...context, storage } as never, { mount: 'secret', path, version: 0 });
}

/** Microseconds of processor time that one of `count` calls takes. */
function cost(count: number, act: (at: number) => void): number {
  const before = process.cpuUsage();
  for (let at = 0; at < count; at++) act(at);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** Bare calls of the library on inputs of the right length, through its own door. */
function floorCalls() {
  const [key, nonce, aad, name] = [random.bytes(32), random.bytes(24), random.bytes(150), 16];
  const [hashed, stored, record] = [
    random.bytes(230),
    random.bytes(VALUE_BYTES),
    random.bytes(600),
  ];
  const padded = random.bytes(name);
  const hash = (bytes: number) => sodium.crypto_generichash(bytes, hashed, key);
  const stream = () =>
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, null, null, nonce, key);
  const seal = (plain: Uint8Array) =>
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, null, nonce, key);
  const open = (sealed: Uint8Array) =>
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, aad, nonce, key);
  const [sealedValue, sealedRecord] = [seal(stored), seal(record)];
  const openRecord = () => {
    hash(64);
    open(sealedRecord);
  };
  return {
    // Two names (the new version's, the oldest's), two values sealed, the record opened twice.
    put() {
      for (let i = 0; i < 2; i++) {
        hash(24);
        stream();
        hash(24);
        hash(64);
        openRecord();
      }
      seal(stored);
      seal(record);
    },
    get() {
      openRecord();
      hash(64);
      open(sealedValue);
    },
  };
}

for (let version = 0; version < VERSIONS_BEFORE; version++) paths.forEach(putOne);
const floor = floorCalls();
const taken = {
  put: [] as number[],
  get: [] as number[],
  putFloor: [] as number[],
  getFloor: [] as number[],
};
const shuffled = [...paths].sort((a, b) => (a.slice(-1) < b.slice(-1) ? -1 : 1));
for (let round = 0; round < rounds; round++) {
  taken.putFloor.push(cost(secrets, () => floor.put()));
  taken.put.push(cost(secrets, (at) => putOne(shuffled[at] ?? '')));
  taken.getFloor.push(cost(secrets, () => floor.get()));
  taken.get.push(cost(secrets, (at) => getOne(shuffled[at] ?? '')));
}
const { start } = sealedRange(namespace);
invariant(
  [...rows.keys()].every((key) => key.startsWith(nameOf(start))),
  'All is sealed',
  {},
);
for (const [name, us, least] of [
  ['put', taken.put, taken.putFloor],
  ['get', taken.get, taken.getFloor],
] as const) {
  console.log(
    `${name}  ${median(us).toFixed(1)} us CPU [${us.map((one) => one.toFixed(0)).join(' ')}]  bare cipher calls ${median(least).toFixed(1)} us  ratio ${(median(us) / median(least)).toFixed(2)}`,
  );
}
