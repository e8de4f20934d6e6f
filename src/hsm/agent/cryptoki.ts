import pkcs11 from 'pkcs11js';
import { returnValue } from './return-values.ts';

/** A failed PKCS#11 call: which function, and the number that it returned. */
export class CryptokiError extends Error {
  override readonly name = 'CryptokiError';
  readonly method: string;
  readonly code: number;

  constructor(method: string, code: number) {
    super(`${method} answered ${returnValue(code).name} (0x${code.toString(16)})`);
    this.method = method;
    this.code = code;
  }
}

/** The shared library could not be loaded, or is no PKCS#11 module. */
export class ModuleLoadError extends Error {
  override readonly name = 'ModuleLoadError';
}

export type Handle = Buffer;
export type Attribute = pkcs11.Attribute;
export type Mechanism = pkcs11.Mechanism;

const FIND_MAX = 16;

/**
 * The module, behind guards for what the binding leaves to its users: only the synchronous calls
 * (the callback forms do not pin their buffers), every failure with its number (some calls throw
 * bare errors), a locking initialisation, and an object that is never collected (its collection
 * would unload the module). It runs in an agent process, where blocking is allowed.
 */
export class Cryptoki {
  // Held for the life of the process: a collected PKCS11 object closes every session silently.
  readonly #module: pkcs11.PKCS11;

  private constructor(module: pkcs11.PKCS11) {
    this.#module = module;
  }

  /**
   * @throws ModuleLoadError when the library is missing or no PKCS#11 module.
   * @throws CryptokiError when it does not start.
   */
  static load(path: string, libraryParameters?: string): Cryptoki {
    const module = new pkcs11.PKCS11();
    try {
      module.load(path);
    } catch (cause) {
      throw new ModuleLoadError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
    const cryptoki = new Cryptoki(module);
    // Without the flag the module would be started without locking. The trailing space is there
    // because the binding drops the last character.
    cryptoki.call('C_Initialize', (m) =>
      m.C_Initialize({
        flags: pkcs11.CKF_OS_LOCKING_OK,
        ...(libraryParameters === undefined ? {} : { libraryParameters: `${libraryParameters} ` }),
      }),
    );
    return cryptoki;
  }

  /** One raw call. @throws CryptokiError */
  call<T>(method: string, run: (module: pkcs11.PKCS11) => T): T {
    try {
      return run(this.#module);
    } catch (error) {
      const code = codeOf(error);
      throw code === undefined ? error : new CryptokiError(method, code);
    }
  }

  /** Runs `task` on a session of its own: a failed operation would poison a shared one. */
  withSession<T>(slot: Handle, writable: boolean, task: (session: Handle) => T): T {
    const flags = pkcs11.CKF_SERIAL_SESSION | (writable ? pkcs11.CKF_RW_SESSION : 0);
    const session = this.call('C_OpenSession', (m) => m.C_OpenSession(slot, flags));
    try {
      return task(session);
    } finally {
      try {
        this.call('C_CloseSession', (m) => m.C_CloseSession(session));
      } catch {
        // A session that is gone already is as good as closed; the task's own result counts.
      }
    }
  }

  /** Objects that match, at most FIND_MAX of them. */
  find(session: Handle, template: readonly Attribute[]): readonly Handle[] {
    this.call('C_FindObjectsInit', (m) => m.C_FindObjectsInit(session, [...template]));
    try {
      return this.call('C_FindObjects', (m) => m.C_FindObjects(session, FIND_MAX));
    } finally {
      this.call('C_FindObjectsFinal', (m) => m.C_FindObjectsFinal(session));
    }
  }

  /** One attribute at a time: a single sensitive one would fail all that are asked with it. */
  attribute(session: Handle, object: Handle, type: number): Buffer {
    const [answer] = this.call('C_GetAttributeValue', (m) =>
      m.C_GetAttributeValue(session, object, [{ type }]),
    );
    if (answer === undefined) throw new CryptokiError('C_GetAttributeValue', 0x12);
    return answer.value;
  }

  encrypt(session: Handle, mechanism: Mechanism, key: Handle, data: Uint8Array): Uint8Array {
    this.call('C_EncryptInit', (m) => m.C_EncryptInit(session, mechanism, key));
    return this.call('C_Encrypt', (m) => {
      const input = Buffer.from(data);
      return Uint8Array.from(m.C_Encrypt(session, input, Buffer.alloc(input.length + 512)));
    });
  }

  decrypt(session: Handle, mechanism: Mechanism, key: Handle, data: Uint8Array): Uint8Array {
    this.call('C_DecryptInit', (m) => m.C_DecryptInit(session, mechanism, key));
    return this.call('C_Decrypt', (m) => {
      const input = Buffer.from(data);
      // As long as the ciphertext: some modules want that much although the result is shorter.
      const out = Buffer.alloc(input.length + 16);
      try {
        return Uint8Array.from(m.C_Decrypt(session, input, out));
      } finally {
        out.fill(0);
      }
    });
  }
}

/** Some calls throw a typed error with the number, others a bare one with it in the text. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'number' && error.code > 0) return error.code;
  const found = /CKR_\w+:(\d+)/.exec(error.message);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}
