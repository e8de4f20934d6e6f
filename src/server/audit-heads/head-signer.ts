import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditHead, type SignedHead, signHead } from '../../audit/index.ts';
import { type Clock, hasCode, hex, SecretBytes, type Timer } from '../../lib/index.ts';
import type { Counter, Logger, Metrics } from '../../telemetry/index.ts';
import type { AuditSink } from '../../vault/index.ts';
import { writeAtomically } from '../certificates/index.ts';
import type { CommittedHead } from '../cluster/peer-request.ts';

const INTERVAL_MS = 10_000;
const LAST_MS = 1_000;

/**
 * Signs the heads of this node's audit chains and has them committed, at intervals and at the end:
 * what was in a file up to then cannot be changed or cut unseen, even by root on this node.
 */
export class HeadSigner implements AsyncDisposable {
  readonly #sinks: readonly AuditSink[];
  readonly #identity: { readonly clusterId: string; readonly node: number };
  readonly #seed: SecretBytes;
  readonly #commit: (head: CommittedHead) => Promise<void>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #refused: Counter;
  readonly #committed = new Map<string, number>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: {
    readonly sinks: readonly AuditSink[];
    readonly identity: { readonly clusterId: string; readonly node: number };
    readonly seed: SecretBytes;
    readonly commit: (head: CommittedHead) => Promise<void>;
    readonly clock: Clock;
    readonly log: Logger;
    readonly metrics: Metrics;
  }) {
    this.#sinks = options.sinks;
    this.#identity = options.identity;
    this.#seed = options.seed;
    this.#commit = options.commit;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#refused = options.metrics.counter({
      name: 'strongroom_audit_heads_refused_total',
      help: "Heads of this node's audit chains that the leader refused",
    });
    this.#schedule();
  }

  async commitNow(): Promise<void> {
    for (const sink of this.#sinks) {
      const { sequence, hash } = sink.head();
      if (sequence === 0 || this.#committed.get(sink.name) === sequence) continue;
      const head: AuditHead = {
        ...this.#identity,
        sink: sink.name,
        sequence,
        hash: hex(hash),
        committedAtMs: this.#clock.wallMs(),
      };
      try {
        await this.#commit(committed(signHead(this.#seed, head)));
        this.#committed.set(sink.name, sequence);
      } catch (error) {
        if (hasCode(error, 'audit.head-refused')) {
          this.#refused.add();
          this.#log.error(
            { sink: sink.name, sequence, code: error.code, error: error.message },
            'The cluster refuses the head of the audit chain',
          );
          continue;
        }
        // Without a leader nothing can be committed; the next interval tries a later head.
        this.#log.debug(
          { sink: sink.name, error: String(error) },
          'Could not commit an audit head',
        );
      }
    }
  }

  #schedule(): void {
    this.#timer = this.#clock.after(INTERVAL_MS, () => {
      void this.commitNow().then(() => {
        if (!this.#stopped) this.#schedule();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const limit = new Promise<void>((resolve) => this.#clock.after(LAST_MS, resolve));
    await Promise.race([this.commitNow(), limit]);
    this.#seed[Symbol.dispose]();
  }
}

/** The node's own signing seed, made at its first start. */
export async function auditSeed(dataDir: string): Promise<SecretBytes> {
  const path = join(dataDir, 'audit-signing.key');
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found !== undefined)
    return SecretBytes.take(new Uint8Array(Buffer.from(found.trim(), 'base64')));
  const fresh = randomBytes(32);
  await writeAtomically(path, `${fresh.toString('base64')}\n`, 0o600);
  return SecretBytes.take(new Uint8Array(fresh));
}

function committed(head: SignedHead): CommittedHead {
  return {
    node: head.node,
    sink: head.sink,
    sequence: head.sequence,
    head: head.hash,
    committedAtMs: head.committedAtMs,
    signature: Buffer.from(head.signature).toString('base64'),
    publicKey: Buffer.from(head.publicKey).toString('base64'),
  };
}
