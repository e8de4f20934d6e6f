import { randomBytes } from 'node:crypto';
import type { FileSink } from '../../audit/index.ts';
import type { Barrier } from '../../barrier/index.ts';
import { utf8Text } from '../../lib/index.ts';
import type { AuditPort } from '../../vault/index.ts';
import {
  HEAD_KEYS_PREFIX,
  HEADS_PREFIX,
  headKeyRecord,
  headsOfNode,
  parseKept,
  signedHead,
} from '../audit-heads/head-records.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import { KeyedDigest } from './keyed-digest.ts';

const HEADS_MAX = 10_000;

/** The key of the audit log's hashes: the cluster's while unsealed, a passing one of the node else. */
export class AuditKey implements Disposable {
  readonly #passing = digestUnder(randomBytes(32));
  #digest: KeyedDigest | undefined;

  use(barrier: Barrier | undefined): void {
    this.#digest?.[Symbol.dispose]();
    this.#digest = undefined;
    if (barrier === undefined) return;
    using key = barrier.deriveSecret('audit');
    this.#digest = new KeyedDigest(key.reveal());
  }

  /** Hex, with the kind of key before it: hashes of different keys never look alike. */
  hashOf(value: string | Uint8Array): string {
    return this.#digest === undefined
      ? `hmac-sealed:${this.#passing.hex(value)}`
      : `hmac-sha256:${this.#digest.hex(value)}`;
  }

  [Symbol.dispose](): void {
    this.use(undefined);
    this.#passing[Symbol.dispose]();
  }
}

/** Overwrites `key`. */
function digestUnder(key: Uint8Array): KeyedDigest {
  const digest = new KeyedDigest(key);
  key.fill(0);
  return digest;
}

/** What the `audit.*` operations do. */
export function createAuditPort(parts: {
  readonly sinks: readonly FileSink[];
  readonly key: AuditKey;
  readonly records: SystemRecords;
}): AuditPort {
  return {
    async list() {
      return {
        sinks: parts.sinks.map((sink) => ({
          name: sink.name,
          kind: sink.kind,
          target: sink.target,
          healthy: sink.isHealthy,
        })),
      };
    },
    async hash(_context, request) {
      return { hash: parts.key.hashOf(request.value) };
    },
    async heads(_context, { node }) {
      const { records } = parts;
      const found = await records.list(node === 0 ? HEADS_PREFIX : headsOfNode(node), HEADS_MAX);
      const kept = found.flatMap(({ value }) => parseKept(value) ?? []);
      // The first head of an hour or a day stands there twice.
      const heads = new Map(kept.map(({ head }) => [`${head.signature} ${head.sequence}`, head]));
      const keyed = node === 0 ? HEAD_KEYS_PREFIX : headKeyRecord(node);
      const keys = await records.list(keyed, HEADS_MAX);
      return {
        heads: [...heads.values()]
          .sort((a, b) => b.committedAtMs - a.committedAtMs)
          .map((head) => {
            const { signature, publicKey } = signedHead(head, '');
            return { ...head, signature, publicKey };
          }),
        keys: keys.map(({ name, value }) => ({
          node: Number(name.slice(HEAD_KEYS_PREFIX.length)),
          publicKey: new Uint8Array(Buffer.from(utf8Text(value), 'base64')),
        })),
      };
    },
    hashOf: (value) => parts.key.hashOf(value),
  };
}
