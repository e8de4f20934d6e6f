/** Names one token in one module. Never by slot number: modules renumber. */
export interface TokenAddress {
  /** Path of the PKCS#11 module. */
  readonly module: string;
  readonly label: string;
  /** Set it when two tokens share a label. */
  readonly serial?: string;
  /** Extra variables for the agent process, such as SOFTHSM2_CONF. Never a PIN. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Handed to `C_Initialize` as reserved parameters: NSS needs its `configdir='sql:...'`. */
  readonly libraryParameters?: string;
}

export type WrapMechanism = 'aes-gcm' | 'rsa-oaep-sha1' | 'rsa-oaep-sha256';

export interface KekInfo {
  readonly label: string;
  readonly mechanism: WrapMechanism;
  /** Identity that does not trust labels: SHA-256 over a GCM of zeros, or over the SPKI. */
  readonly fingerprint: Uint8Array;
  /** DER (SubjectPublicKeyInfo), RSA only: wrapping needs nothing more. */
  readonly publicKey?: Uint8Array;
}

export interface TokenInfo {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
}

/** One finding of the conformance probe: what was tried on the KEK and should have been refused. */
export interface ProbeFinding {
  readonly check: string;
  /** What the token answered; `allowed` is what must not be. */
  readonly answer: string;
  readonly passed: boolean;
}

/**
 * One logged-in token, reached through an agent process of its own. Every call has a deadline; a
 * stalled or crashed agent is killed and replaced. All failures are `hsm.*` codes.
 */
export interface Token extends AsyncDisposable {
  /** As seen at the last login. */
  readonly info: TokenInfo;
  /**
   * Makes a non-extractable key with one permitted mechanism.
   * @throws StrongroomError `hsm.key-exists` when a key has this label already.
   */
  generateKek(label: string, mechanism: WrapMechanism): Promise<KekInfo>;
  /**
   * @param fingerprint picks one of several keys with this label.
   * @throws StrongroomError `hsm.key-ambiguous` for several keys and no fingerprint,
   *   `hsm.key-mismatch` when only other keys have this label.
   */
  findKek(
    label: string,
    mechanism: WrapMechanism,
    fingerprint?: Uint8Array,
  ): Promise<KekInfo | undefined>;
  /** Destroys every key with this label. Nothing that it wrapped can be opened again. */
  destroyKek(label: string): Promise<void>;
  /** Wraps at most 64 bytes; `context` is authenticated where the mechanism can (AES-GCM). */
  wrap(kek: KekInfo, secret: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /**
   * @throws StrongroomError `hsm.data-refused` only when the same key then opened its canary: so
   *   it is the data that is bad, not the token.
   */
  unwrap(kek: KekInfo, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /** Proves that the very key is there and decrypts, with a canary that its fingerprint fixes. */
  proveKek(kek: KekInfo): Promise<void>;
  /** Tries on the KEK what a sound token refuses: reading it, making it extractable, other uses. */
  probeKek(kek: KekInfo): Promise<readonly ProbeFinding[]>;
  randomBytes(count: number): Promise<Uint8Array>;
  /**
   * Proves that a restart would log in again: in an agent of its own, whenever the PIN source or the
   * module's file has changed since the last login, and once an hour. The login that is held stays.
   * @throws StrongroomError `hsm.*`, what would stop the restart.
   */
  rehearse(): Promise<void>;
  /** Ends the agent and with it the login; the next call starts and logs in another one. */
  rest(): void;
}
