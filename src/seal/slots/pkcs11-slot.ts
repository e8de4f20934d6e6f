import {
  type KekInfo,
  type PinGuard,
  superviseToken,
  type Token,
  type TokenOptions,
  type WrapMechanism,
} from '../../hsm/index.ts';
import { hasCode, SecretBytes, StrongroomError } from '../../lib/index.ts';
import { contextBytes, corrupt, type Envelope, type EnvelopeContext } from '../envelope.ts';
import type { Pkcs11SlotConfig } from '../slot-config.ts';
import type { KekFacts, SlotKey } from './slot-key.ts';

/** Labels left over by ceremonies that broke off are stepped over, within reason. */
const GENERATIONS_TRIED_MAX = 64;

/** A key that lives in a PKCS#11 token and never leaves it. */
export class Pkcs11Slot implements SlotKey {
  readonly kind = 'pkcs11';
  readonly name: string;
  readonly #config: Pkcs11SlotConfig;
  readonly #clusterId: string;
  readonly #token: Token;
  readonly #log: TokenOptions['log'];

  constructor(
    config: Pkcs11SlotConfig,
    clusterId: string,
    options: Omit<TokenOptions, 'guard'>,
    guard: PinGuard,
  ) {
    this.name = config.name;
    this.#config = config;
    this.#clusterId = clusterId;
    this.#log = options.log;
    this.#token = superviseToken(config.token, config.pin, { ...options, guard });
  }

  async createKek(generation: number): Promise<KekFacts> {
    for (let tried = 0; ; tried++) {
      const kekGeneration = generation + tried;
      const label = `strongroom/${this.#clusterId}/${this.name}/g${kekGeneration}`;
      try {
        const kek = await this.#token.generateKek(label, this.#config.mechanism);
        await this.#requireSound(kek);
        return {
          mechanism: kek.mechanism,
          kekLabel: kek.label,
          kekFingerprint: kek.fingerprint,
          kekGeneration,
          parameters: kek.publicKey ?? new Uint8Array(0),
        };
      } catch (error) {
        if (!hasCode(error, 'hsm.key-exists') || tried === GENERATIONS_TRIED_MAX) throw error;
      }
    }
  }

  wrap(context: EnvelopeContext, secret: SecretBytes): Promise<Uint8Array> {
    return this.#token.wrap(kekOf(context), secret.reveal(), contextBytes(context));
  }

  async unwrap(envelope: Envelope): Promise<SecretBytes> {
    const { context, wrapped } = envelope;
    return SecretBytes.take(
      await this.#token.unwrap(kekOf(context), wrapped, contextBytes(context)),
    );
  }

  randomBytes(count: number): Promise<Uint8Array> {
    return this.#token.randomBytes(count);
  }

  rehearse(): Promise<void> {
    return this.#token.rehearse();
  }

  rest(): void {
    this.#token.rest();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#token[Symbol.asyncDispose]();
  }

  /** Attributes are claims: a token that lets the key out is refused before anything is sealed. */
  async #requireSound(kek: KekInfo): Promise<void> {
    const failed = (await this.#token.probeKek(kek)).filter((finding) => !finding.passed);
    if (failed.length === 0) return;
    const allowed = failed.map((finding) => finding.check).join(', ');
    if (this.#config.allowLaxToken === true) {
      this.#log.warn(
        { slot: this.name, allowed },
        'This token lets its key be misused; it is taken because allowLaxToken is set',
      );
      return;
    }
    await this.#token.destroyKek(kek.label);
    throw new StrongroomError(
      'hsm.policy-violation',
      `Token "${this.#config.token.label}" of slot "${this.name}" allowed what it must refuse: ${allowed}; use its FIPS mode or another token, or set allowLaxToken for a trial`,
      { details: { slot: this.name } },
    );
  }
}

function kekOf(context: EnvelopeContext): KekInfo {
  const { kekLabel: label, kekFingerprint: fingerprint, parameters } = context;
  const mechanism = wrapMechanism(context);
  if (mechanism === 'aes-gcm') return { label, mechanism, fingerprint };
  return { label, mechanism, fingerprint, publicKey: parameters };
}

function wrapMechanism(context: EnvelopeContext): WrapMechanism {
  const { mechanism } = context;
  switch (mechanism) {
    case 'aes-gcm':
    case 'rsa-oaep-sha1':
    case 'rsa-oaep-sha256':
      return mechanism;
    default:
      throw corrupt(context.slot, 'it names no mechanism of an HSM');
  }
}
