/** Names one token in one module. Never by slot number: modules renumber. */
export interface TokenAddress {
  /** Path of the PKCS#11 module. */
  readonly module: string;
  readonly label: string;
  /** Set it when two tokens share a label. */
  readonly serial?: string;
  /** Extra variables for the agent process, such as SOFTHSM2_CONF. Never a PIN. */
  readonly environment?: Readonly<Record<string, string>>;
}

export type WrapMechanism = 'aes-gcm' | 'rsa-oaep-sha1' | 'rsa-oaep-sha256';

export interface KekInfo {
  readonly label: string;
  readonly mechanism: WrapMechanism;
  /** Identity that does not trust labels: SHA-256 over a GCM of zeros, or over the SPKI. */
  readonly fingerprint: Uint8Array;
  /** DER, RSA only: wrapping needs nothing more. */
  readonly publicKey?: Uint8Array;
}

/**
 * One logged-in token, reached through an agent process of its own. Every call has a deadline; a
 * stalled agent is killed and replaced. All failures are `hsm.*` codes.
 */
export interface Token extends AsyncDisposable {
  readonly info: {
    readonly label: string;
    readonly serial: string;
    readonly manufacturer: string;
    readonly model: string;
  };
  /** Makes a non-extractable key with one permitted mechanism. */
  generateKek(label: string, mechanism: WrapMechanism): Promise<KekInfo>;
  findKek(label: string, mechanism: WrapMechanism): Promise<KekInfo | undefined>;
  destroyKek(label: string): Promise<void>;
  /** Wraps 32 bytes; `context` is authenticated where the mechanism can. */
  wrap(kek: KekInfo, secret: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  unwrap(kek: KekInfo, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  randomBytes(count: number): Promise<Uint8Array>;
}
