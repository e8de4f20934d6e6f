import type { SecretBytes } from '../../lib/index.ts';
import type { Envelope, EnvelopeContext } from '../envelope.ts';

/** What an envelope says of the key that wraps it. */
export type KekFacts = Pick<
  EnvelopeContext,
  'mechanism' | 'kekLabel' | 'kekFingerprint' | 'kekGeneration' | 'parameters'
>;

/** A slot that opens without people: it wraps and unwraps by itself. */
export interface SlotKey extends AsyncDisposable {
  readonly name: string;
  readonly kind: 'pkcs11' | 'dev';
  /** Makes a new key; `generation` counts from 1, a higher one is taken when it is in use. */
  createKek(generation: number): Promise<KekFacts>;
  /** Wraps 32 bytes under the key that the context names. */
  wrap(context: EnvelopeContext, secret: SecretBytes): Promise<Uint8Array>;
  /** @throws StrongroomError `hsm.*` or `seal.*`, named for what is wrong. */
  unwrap(envelope: Envelope): Promise<SecretBytes>;
  /** Chance from the device, to be mixed with the node's own; undefined where there is none. */
  randomBytes(count: number): Promise<Uint8Array | undefined>;
  /** Proves that it could be reached anew after a restart. @throws StrongroomError `hsm.*` if not. */
  rehearse(): Promise<void>;
  /** Logs out; the next use logs in again. */
  rest(): void;
}
