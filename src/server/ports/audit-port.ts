import { createHmac, randomBytes } from 'node:crypto';
import type { FileSink } from '../../audit/index.ts';
import type { Barrier } from '../../barrier/index.ts';
import type { SecretBytes } from '../../lib/index.ts';
import type { AuditPort } from '../../vault/index.ts';
import { HEADS_PREFIX, parseHead } from '../audit-heads.ts';
import type { SystemRecords } from '../cluster/system-records.ts';

const HEADS_MAX = 10_000;

/** The key of the audit log's hashes: the cluster's while unsealed, a passing one of the node else. */
export class AuditKey implements Disposable {
  readonly #passing = randomBytes(32);
  #key: SecretBytes | undefined;

  use(barrier: Barrier | undefined): void {
    this.#key?.[Symbol.dispose]();
    this.#key = barrier?.deriveSecret('audit');
  }

  /** Hex, with the kind of key before it: hashes of different keys never look alike. */
  hashOf(value: string | Uint8Array): string {
    const [name, key] =
      this.#key === undefined
        ? ['hmac-sealed', this.#passing]
        : ['hmac-sha256', this.#key.reveal()];
    return `${name}:${createHmac('sha256', key).update(value).digest('hex')}`;
  }

  [Symbol.dispose](): void {
    this.use(undefined);
    this.#passing.fill(0);
  }
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
    async heads(_context, request) {
      const found = await parts.records.list(HEADS_PREFIX, HEADS_MAX);
      const heads = found.map(({ value }) => parseHead(value));
      return {
        heads: heads.filter((head) => request.node === 0 || head.node === request.node),
      };
    },
    hashOf: (value) => parts.key.hashOf(value),
  };
}
