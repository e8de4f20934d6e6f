import { isUtf8 } from 'node:buffer';
import { closeSync, constants, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { SecretBytes, StrongroomError, utf8Bytes } from '../lib/index.ts';

const PIN_BYTES_MAX = 255;
const LINE_BREAK = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Where a PIN comes from. Never an argument, never the environment: other processes see those. */
export interface PinSource {
  /** For messages: a path, `file descriptor 5` or `prompt`. */
  readonly description: string;
  /** Changes when another PIN may be there: a refused PIN is not asked for again before. */
  version(): Promise<string>;
  /** @throws StrongroomError `hsm.pin-unreadable` */
  read(): Promise<SecretBytes>;
  /** The token refused what `read` gave. */
  rejected(): void;
}

/**
 * A file that only its owner can read (mode 0400 or 0600), such as a systemd credential. One
 * newline at the end is not part of the PIN.
 */
export function pinFromFile(path: string): PinSource {
  const unreadable = (why: string, cause?: unknown): StrongroomError =>
    new StrongroomError('hsm.pin-unreadable', `Cannot read the PIN file ${path}: ${why}`, {
      cause,
    });
  return {
    description: path,
    async version() {
      await using file = await openPinFile(path, unreadable);
      const { mtimeMs, ctimeMs, ino, size } = await file.stat();
      return `${ino}/${size}/${mtimeMs}/${ctimeMs}`;
    },
    async read() {
      await using file = await openPinFile(path, unreadable);
      const stat = await file.stat();
      if (!stat.isFile()) throw unreadable('it is no regular file');
      if ((stat.mode & 0o077) !== 0) {
        const mode = (stat.mode & 0o777).toString(8);
        throw unreadable(`others may read it (mode 0${mode}), use chmod 0400`);
      }
      if (stat.uid !== process.getuid?.() && stat.uid !== 0) {
        throw unreadable('it belongs to another user');
      }
      const bytes = Buffer.alloc(PIN_BYTES_MAX + 2);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return withoutNewline(bytes, bytesRead, unreadable);
    },
    rejected() {},
  };
}

/** Read once and closed, a number is given to whatever the process opens next: never read again. */
const descriptors = new Map<number, PinSource>();

/**
 * An open file descriptor, read to its first line break or its end, once in the life of the process,
 * and then closed; the PIN stays in memory.
 */
export function pinFromDescriptor(descriptor: number): PinSource {
  const source = descriptors.get(descriptor) ?? readOnce(descriptor);
  descriptors.set(descriptor, source);
  return source;
}

function readOnce(descriptor: number): PinSource {
  const description = `file descriptor ${descriptor}`;
  const unreadable = (why: string, cause?: unknown): StrongroomError =>
    new StrongroomError('hsm.pin-unreadable', `Cannot read the PIN from ${description}: ${why}`, {
      cause,
    });
  let kept: SecretBytes | undefined;
  return {
    description,
    version: async () => description,
    async read() {
      kept ??= readDescriptor(descriptor, unreadable);
      return SecretBytes.copy(kept.reveal());
    },
    rejected() {},
  };
}

/** Asks somebody. The answer is kept for when an agent has to log in again, until it is refused. */
export function pinFromPrompt(ask: () => Promise<string>): PinSource {
  let kept: SecretBytes | undefined;
  let asked = 0;
  return {
    description: 'prompt',
    version: async () => `prompt ${asked}`,
    async read() {
      kept ??= SecretBytes.take(utf8Bytes(await ask()));
      return SecretBytes.copy(kept.reveal());
    },
    rejected() {
      kept?.[Symbol.dispose]();
      kept = undefined;
      asked += 1;
    },
  };
}

type Unreadable = (why: string, cause?: unknown) => StrongroomError;

async function openPinFile(path: string, unreadable: Unreadable) {
  try {
    // Not blocking, lest a fifo put there by somebody holds the node up.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw unreadable(cause instanceof Error ? cause.message : 'it does not open', cause);
  }
}

function readDescriptor(descriptor: number, unreadable: Unreadable): SecretBytes {
  const bytes = Buffer.alloc(PIN_BYTES_MAX + 2);
  let length = 0;
  try {
    for (;;) {
      const got = readSync(descriptor, bytes, length, bytes.length - length, null);
      length += got;
      // Not to the end: whoever writes into a pipe may keep it open.
      if (got === 0 || length === bytes.length || bytes[length - 1] === LINE_BREAK) break;
    }
    closeSync(descriptor);
  } catch (cause) {
    bytes.fill(0);
    throw unreadable(cause instanceof Error ? cause.message : 'it does not open', cause);
  }
  return withoutNewline(bytes, length, unreadable);
}

function withoutNewline(bytes: Buffer, length: number, unreadable: Unreadable): SecretBytes {
  try {
    let end = length;
    if (end > 0 && bytes[end - 1] === LINE_BREAK) end -= 1;
    if (end === 0) throw unreadable('it is empty');
    if (end > PIN_BYTES_MAX) throw unreadable(`it is longer than ${PIN_BYTES_MAX} bytes`);
    const pin = bytes.subarray(0, end);
    refuseWhatNobodyTypes(pin, unreadable);
    return SecretBytes.copy(pin);
  } finally {
    bytes.fill(0);
  }
}

/** Such a PIN is surely wrong, and a token locks after few wrong ones: no try is spent on it. */
function refuseWhatNobodyTypes(pin: Buffer, unreadable: Unreadable): void {
  if (pin.at(-1) === CARRIAGE_RETURN) {
    throw unreadable('its line ends with a carriage return, as editors of Windows write it');
  }
  if (pin.some((byte) => byte < 0x20 || byte === 0x7f)) {
    throw unreadable('it holds a line break or a control character');
  }
  if (!isUtf8(pin)) throw unreadable('it is no UTF-8 text, which is what tokens take');
}
