import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { appendFile, chmod, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  concatBytes,
  fromHex,
  hex,
  type Random,
  SecretBytes,
  StrongroomError,
  utf8Bytes,
} from '../../lib/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { contextBytes, corrupt, type Envelope, type EnvelopeContext } from '../envelope.ts';
import type { DevSlotConfig } from '../slot-config.ts';
import type { KekFacts, SlotKey } from './slot-key.ts';

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const NO_SAFETY =
  'DEV SEAL: the key lies in a file beside the data. Whoever reads the disk reads every secret. Never use this in production';

/** A key in a file, one line a generation. It protects nothing, and says so at every start. */
export class DevSlot implements SlotKey {
  readonly kind = 'dev';
  readonly name: string;
  readonly #path: string;
  readonly #random: Random;
  readonly #log: Logger;
  #warned = false;

  constructor(config: DevSlotConfig, random: Random, log: Logger) {
    this.name = config.name;
    this.#path = config.path;
    this.#random = random;
    this.#log = log;
  }

  async createKek(generation: number): Promise<KekFacts> {
    this.#warn();
    const keys = await this.#keys().catch(() => new Map<number, Uint8Array>());
    let kekGeneration = generation;
    while (keys.has(kekGeneration)) kekGeneration += 1;
    const key = this.#random.bytes(KEY_BYTES);
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    await appendFile(this.#path, `${kekGeneration} ${hex(key)}\n`, { mode: 0o600, flush: true });
    await chmod(this.#path, 0o600);
    return {
      mechanism: 'dev-file',
      kekLabel: `dev/g${kekGeneration}`,
      kekFingerprint: fingerprint(key),
      kekGeneration,
      parameters: new Uint8Array(0),
    };
  }

  async wrap(context: EnvelopeContext, secret: SecretBytes): Promise<Uint8Array> {
    using key = await this.#key(context);
    const iv = this.#random.bytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key.reveal(), iv);
    cipher.setAAD(contextBytes(context));
    return concatBytes(iv, cipher.update(secret.reveal()), cipher.final(), cipher.getAuthTag());
  }

  async unwrap(envelope: Envelope): Promise<SecretBytes> {
    const { context, wrapped } = envelope;
    this.#warn();
    using key = await this.#key(context);
    const tagAt = wrapped.length - TAG_BYTES;
    if (tagAt < IV_BYTES) throw corrupt(this.name, 'its wrapped secret is too short');
    const iv = wrapped.subarray(0, IV_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key.reveal(), iv, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(contextBytes(context));
    decipher.setAuthTag(wrapped.subarray(tagAt));
    const opened = decipher.update(wrapped.subarray(IV_BYTES, tagAt));
    try {
      decipher.final();
      return SecretBytes.copy(opened);
    } catch (cause) {
      throw corrupt(this.name, 'its wrapped secret was changed', cause);
    } finally {
      opened.fill(0);
    }
  }

  async randomBytes(): Promise<undefined> {
    return undefined;
  }

  /** Its file is read anew at each use, so there is nothing more to prove. */
  async rehearse(): Promise<void> {}

  rest(): void {}

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Once a start: every node proves its slots twice a minute. */
  #warn(): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#log.warn({ slot: this.name, path: this.#path }, NO_SAFETY);
  }

  async #key(context: EnvelopeContext): Promise<SecretBytes> {
    const keys = await this.#keys();
    const key = keys.get(context.kekGeneration);
    if (key !== undefined && hex(fingerprint(key)) === hex(context.kekFingerprint)) {
      return SecretBytes.copy(key);
    }
    throw this.#missing(`generation ${context.kekGeneration} is not in it`);
  }

  async #keys(): Promise<ReadonlyMap<number, Uint8Array>> {
    let lines: string;
    try {
      lines = await readFile(this.#path, 'utf8');
    } catch (cause) {
      throw this.#missing(cause instanceof Error ? cause.message : 'it does not open');
    }
    const keys = new Map<number, Uint8Array>();
    for (const line of lines.split('\n')) {
      const [, generation, key] = /^(\d+) ([0-9a-f]{64})$/.exec(line) ?? [];
      if (generation !== undefined && key !== undefined) {
        keys.set(Number(generation), fromHex(key));
      }
    }
    return keys;
  }

  #missing(why: string): StrongroomError {
    return new StrongroomError(
      'seal.dev-key-missing',
      `The dev key of slot "${this.name}" is not in ${this.#path}: ${why}; without it this slot opens no more`,
      { details: { slot: this.name } },
    );
  }
}

function fingerprint(key: Uint8Array): Uint8Array {
  return Uint8Array.from(
    createHash('sha256').update(utf8Bytes('strongroom/dev-kek-fp/v1')).update(key).digest(),
  );
}
