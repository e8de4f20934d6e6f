import { hash } from 'node:crypto';
import type { Random } from '../../src/lib/index.ts';
import type { Entry, LogIndex, Term } from '../../src/raft/index.ts';
import { encodeTransaction, type Read, type Revision, type Write } from '../../src/store/index.ts';

/** As long as the vault makes them for a path of three parts and a value of 256 bytes. */
const CONFIG_KEY_BYTES = 76;
const METADATA_KEY_BYTES = 160;
const VERSION_KEY_BYTES = 202;
const METADATA_BYTES = 360;
const VERSION_BYTES = 333;
const VERSIONS_KEPT = 10;

/**
 * Committed entries as the vault makes them for `kv.put`: reads of the mount's configuration, the
 * secret's metadata and the keyring; the metadata, a new version, and the oldest version deleted.
 * Each is the next entry of the log, and none conflicts.
 */
export class PutStream {
  readonly random: Random;
  #index = 0;
  /** Of each secret, how often it was put and where last. */
  readonly #versions: number[] = [];
  readonly #revisions: number[] = [];
  readonly #config = nameOf('config', CONFIG_KEY_BYTES);
  readonly #keyring = Buffer.from('\0keyring');

  constructor(random: Random) {
    this.random = random;
  }

  put(secret: number): Entry {
    const index = ++this.#index;
    const metadata = nameOf(`metadata ${secret}`, METADATA_KEY_BYTES);
    const reads: Read[] = [
      { key: this.#config, revision: 0 as Revision },
      { key: metadata, revision: (this.#revisions[secret] ?? 0) as Revision },
      { key: this.#keyring, revision: 0 as Revision },
    ];
    const version = (this.#versions[secret] ?? 0) + 1;
    const writes: Write[] = [
      { kind: 'put', key: versionName(secret, version), value: this.#bytes(VERSION_BYTES) },
      { kind: 'put', key: metadata, value: this.#bytes(METADATA_BYTES) },
    ];
    if (version > VERSIONS_KEPT) {
      writes.push({ kind: 'delete', key: versionName(secret, version - VERSIONS_KEPT) });
    }
    this.#versions[secret] = version;
    this.#revisions[secret] = index;
    // Of its own, as one that came over the network.
    const data = new Uint8Array(encodeTransaction({ reads, writes }));
    return { index: index as LogIndex, term: 1 as Term, kind: 'command', data };
  }

  #bytes(count: number): Uint8Array {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at + 4 <= count; at += 4) bytes.writeUInt32LE(this.random.below(2 ** 32), at);
    return bytes;
  }
}

function versionName(secret: number, version: number): Uint8Array {
  return nameOf(`version ${secret} ${version}`, VERSION_KEY_BYTES);
}

/** Spread over the key space, as hidden names are; all begin alike, as those of one mount do. */
function nameOf(what: string, bytes: number): Uint8Array {
  const name = Buffer.alloc(bytes, 0x2a);
  const digest = hash('sha512', what, 'buffer');
  digest.copy(name, 40, 0, Math.min(64, bytes - 40));
  return name;
}
