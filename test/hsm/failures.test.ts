import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createPinGuard,
  openToken,
  type PinSource,
  pinFromDescriptor,
  pinFromFile,
  pinFromPrompt,
  superviseToken,
  type Token,
  type TokenAddress,
} from '../../src/hsm/index.ts';
import { SupervisedToken } from '../../src/hsm/supervised-token.ts';
import { SystemRandom, systemClock, utf8Bytes } from '../../src/lib/index.ts';
import { recordingLogger } from '../harness/seal.ts';
import {
  PIN,
  pkcs11ToolInstalled,
  SoftHsm,
  softHsmInstalled,
  tokenOptions,
} from '../harness/softhsm.ts';
import { spied, spyInstalled } from '../harness/spied-module.ts';

const context = utf8Bytes('context');
const random = new SystemRandom();

describe.skipIf(!softHsmInstalled)('a token that fails', () => {
  let hsm: SoftHsm;
  let address: TokenAddress;
  let pin: PinSource;
  let open: AsyncDisposable[] = [];

  beforeEach(async () => {
    hsm = new SoftHsm();
    address = await hsm.makeToken('alpha');
    pin = pinFromFile(hsm.pinFile());
  });
  afterEach(async () => {
    for (const each of open) await each[Symbol.asyncDispose]();
    open = [];
    hsm[Symbol.dispose]();
  });

  const kept = <T extends AsyncDisposable>(token: T): T => {
    open.push(token);
    return token;
  };
  const opening = (changes: Partial<TokenAddress>): Promise<Token> =>
    openToken({ ...address, ...changes }, pin, tokenOptions()).then(kept);
  const supervised = (deadlines = {}): SupervisedToken =>
    kept(new SupervisedToken(address, pin, tokenOptions({ deadlines })));

  it('is named when its module is missing, or is none', async () => {
    for (const module of ['/nowhere/lib.so', '/lib/x86_64-linux-gnu/libm.so.6']) {
      await expect(opening({ module })).rejects.toMatchObject({ code: 'hsm.module-missing' });
    }
  });

  it('is named when the module does not start for lack of its configuration', async () => {
    const environment = { SOFTHSM2_CONF: '/nowhere/softhsm2.conf' };
    await expect(opening({ environment })).rejects.toMatchObject({
      code: 'hsm.unavailable',
      details: { method: 'C_Initialize' },
    });
  });

  it('is named when it is not there, by label or by serial', async () => {
    await expect(opening({ label: 'omega' })).rejects.toMatchObject({ code: 'hsm.token-missing' });
    await expect(opening({ serial: '0123' })).rejects.toMatchObject({ code: 'hsm.token-missing' });
  });

  it('is not guessed when another has the same label, and found by its serial', async () => {
    await hsm.makeToken('alpha');
    const error = await opening({}).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'hsm.token-ambiguous' });
    const [, serial = ''] = /to one of ([0-9a-f]{16})/.exec(String(error)) ?? [];
    const token = await opening({ serial });
    expect(token.info.serial).toBe(serial);
  });

  it('is reached again, unseen, after its agent was killed', async () => {
    const token = supervised();
    await token.open();
    const kek = await token.generateKek('kek', 'aes-gcm');
    const before = token.agentPid ?? 0;
    process.kill(before, 'SIGKILL');
    const wrapped = await token.wrap(kek, random.bytes(32), context);
    expect(wrapped.length).toBe(60);
    expect(token.agentPid).not.toBe(before);
  });

  it('is reached again after its agent was killed in the middle of a call', async () => {
    const token = supervised();
    await token.open();
    const kek = await token.generateKek('kek', 'rsa-oaep-sha1');
    const secret = random.bytes(32);
    const wrapped = await token.wrap(kek, secret, context);
    const calls = Array.from({ length: 20 }, () => token.unwrap(kek, wrapped, context));
    process.kill(token.agentPid ?? 0, 'SIGKILL');
    for (const opened of await Promise.all(calls)) expect(opened).toEqual(secret);
  });

  it('fails a call at its deadline when it stalls, and works again with a new agent', async () => {
    const token = supervised({ callMs: 300 });
    await token.open();
    const kek = await token.generateKek('kek', 'aes-gcm');
    const stalled = token.agentPid ?? 0;
    process.kill(stalled, 'SIGSTOP');
    const began = performance.now();
    await expect(token.proveKek(kek)).rejects.toMatchObject({ code: 'hsm.timeout' });
    expect(performance.now() - began).toBeLessThan(2_000);
    await token.proveKek(kek);
    expect(token.agentPid).not.toBe(stalled);
    // A stopped process dies of SIGKILL all the same.
    await expect.poll(() => isAlive(stalled)).toBe(false);
  });

  it('does not hold up the event loop while it stalls', async () => {
    const token = supervised({ callMs: 400 });
    await token.open();
    process.kill(token.agentPid ?? 0, 'SIGSTOP');
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 5);
    await expect(token.randomBytes(32)).rejects.toMatchObject({ code: 'hsm.timeout' });
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(20);
  });

  it('is missed while it is removed, and found when it is back', async () => {
    const token = supervised();
    await token.open();
    const kek = await token.generateKek('kek', 'aes-gcm');
    const tokens = join(hsm.directory, 'tokens');
    renameSync(tokens, `${tokens}-away`);
    writeFileSync(tokens, '');
    await expect(token.proveKek(kek)).rejects.toMatchObject({
      code: expect.stringMatching(/^hsm\.(token-missing|unavailable)$/),
    });
    execFileSync('rm', [tokens]);
    renameSync(`${tokens}-away`, tokens);
    await token.proveKek(kek);
  });

  it('with no room left says so for a new key, and goes on unwrapping', async () => {
    const token = supervised();
    await token.open();
    const kek = await token.generateKek('kek', 'aes-gcm');
    const secret = random.bytes(32);
    const wrapped = await token.wrap(kek, secret, context);
    // As on a full disk: no file of the agent may grow any more.
    execFileSync('prlimit', ['--fsize=0:0', `--pid=${token.agentPid ?? 0}`]);
    await expect(token.generateKek('another', 'aes-gcm')).rejects.toMatchObject({
      code: 'hsm.token-read-only',
    });
    expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
  });

  it('is left alone for a while after three failures, and says for how long and why', async () => {
    const token = kept(superviseToken({ ...address, label: 'omega' }, pin, tokenOptions()));
    for (let tries = 0; tries < 3; tries++) {
      await expect(token.randomBytes(1)).rejects.toMatchObject({ code: 'hsm.token-missing' });
    }
    await expect(token.randomBytes(1)).rejects.toMatchObject({
      code: 'hsm.unavailable',
      details: { retryAfterMs: expect.any(Number) },
      message: expect.stringContaining('Token "omega" is not present'),
    });
  });

  it('whose module is gone is known to open no more, though it still answers', async () => {
    const module = join(hsm.directory, 'module.so');
    symlinkSync(address.module, module);
    const token = kept(new SupervisedToken({ ...address, module }, pin, tokenOptions()));
    await token.open();
    await token.rehearse();
    rmSync(module);
    await expect(token.rehearse()).rejects.toMatchObject({ code: 'hsm.module-missing' });
    expect(await token.randomBytes(1)).toHaveLength(1);
  });

  it('that a new agent could not open any more is found out within the hour', async () => {
    let passedMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + passedMs };
    const token = kept(new SupervisedToken(address, pin, tokenOptions({ clock })));
    await token.open();
    const agent = token.agentPid;
    rmSync(join(hsm.directory, 'softhsm2.conf'));
    passedMs = 3_600_000;
    await expect(token.rehearse()).rejects.toMatchObject({ code: 'hsm.unavailable' });
    expect(await token.randomBytes(1)).toHaveLength(1);
    expect(token.agentPid).toBe(agent);
  });

  it('ends its agent when it is closed, also while that is starting', async () => {
    const token = supervised();
    await token.open();
    const pid = token.agentPid ?? 0;
    const starting = supervised();
    const opened = starting.open().catch((error: unknown) => error);
    await expect.poll(() => starting.agentPid).toBeDefined();
    const startingPid = starting.agentPid ?? 0;
    await token[Symbol.asyncDispose]();
    await starting[Symbol.asyncDispose]();
    await opened;
    await expect.poll(() => [isAlive(pid), isAlive(startingPid)]).toEqual([false, false]);
    await expect(token.randomBytes(1)).rejects.toMatchObject({ code: 'hsm.closed' });
  });

  it.skipIf(!pkcs11ToolInstalled)(
    'sees two keys with one label, and tells them apart by fingerprint',
    async () => {
      const token = supervised();
      await token.open();
      const kek = await token.generateKek('kek', 'aes-gcm');
      const args = ['--module', address.module, '--token-label', 'alpha', '--login', '--pin', PIN];
      execFileSync('pkcs11-tool', [...args, '--keygen', '--key-type', 'aes:32', '--label', 'kek'], {
        env: { ...process.env, ...address.environment },
        stdio: 'ignore',
      });
      const second = kept(new SupervisedToken(address, pin, tokenOptions()));
      await expect(second.findKek('kek', 'aes-gcm')).rejects.toMatchObject({
        code: 'hsm.key-ambiguous',
      });
      expect(await second.findKek('kek', 'aes-gcm', kek.fingerprint)).toEqual(kek);
      const secret = random.bytes(32);
      const wrapped = await second.wrap(kek, secret, context);
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    },
  );
});

describe.skipIf(!softHsmInstalled || !spyInstalled)('a wrong PIN', () => {
  let hsm: SoftHsm;
  let real: TokenAddress;

  beforeAll(async () => {
    hsm = new SoftHsm();
    real = await hsm.makeToken('alpha');
  });
  afterAll(() => hsm[Symbol.dispose]());

  it('is presented exactly once, however often it is asked for, until it changes', async () => {
    const { address, logins } = spied(real, hsm.directory);
    const path = hsm.pinFile('000000');
    await using token = superviseToken(address, pinFromFile(path), tokenOptions());
    for (let tries = 0; tries < 5; tries++) {
      await expect(token.randomBytes(1)).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    }
    expect(logins()).toBe(1);
    // The same wrong PIN in a new file is still the same wrong PIN.
    hsm.pinFile('000000');
    await expect(token.randomBytes(1)).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    expect(logins()).toBe(1);
    hsm.pinFile(PIN);
    expect(await token.randomBytes(1)).toHaveLength(1);
    expect(logins()).toBe(2);
  });

  it('in the file of a node that runs is presented once, and the login that it holds stays', async () => {
    const { address, logins } = spied(real, hsm.directory);
    const path = hsm.pinFile(PIN, 'changing');
    await using token = new SupervisedToken(address, pinFromFile(path), tokenOptions());
    await token.open();
    const [agent, before] = [token.agentPid, logins()];
    await token.rehearse();
    expect(logins()).toBe(before);
    hsm.pinFile('000001', 'changing');
    for (let tries = 0; tries < 3; tries++) {
      await expect(token.rehearse()).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    }
    expect(logins()).toBe(before + 1);
    chmodSync(hsm.pinFile(PIN, 'changing'), 0o644);
    await expect(token.rehearse()).rejects.toMatchObject({ code: 'hsm.pin-unreadable' });
    rmSync(path);
    await expect(token.rehearse()).rejects.toMatchObject({ code: 'hsm.pin-unreadable' });
    hsm.pinFile(PIN, 'changing');
    await token.rehearse();
    await token.rehearse();
    expect(logins()).toBe(before + 2);
    expect(await token.randomBytes(1)).toHaveLength(1);
    expect(token.agentPid).toBe(agent);
  });

  it('is presented once by all tokens of a process that share their guard', async () => {
    const directory = hsm.directory;
    const { address, logins } = spied(real, directory);
    const before = logins();
    const guard = createPinGuard(random);
    const path = hsm.pinFile('999999', 'other-pin');
    for (let tries = 0; tries < 3; tries++) {
      const opened = openToken(address, pinFromFile(path), tokenOptions({ guard }));
      await expect(opened).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    }
    expect(logins() - before).toBe(1);
  });

  it('typed at a prompt is asked for again, and the right one only once', async () => {
    const answers = ['111111', PIN, 'never asked for'];
    const source = pinFromPrompt(async () => answers.shift() ?? '');
    const token = new SupervisedToken(real, source, tokenOptions());
    await expect(token.randomBytes(1)).rejects.toMatchObject({ code: 'hsm.pin-rejected' });
    expect(await token.randomBytes(1)).toHaveLength(1);
    process.kill(token.agentPid ?? 0, 'SIGKILL');
    expect(await token.randomBytes(1)).toHaveLength(1);
    expect(answers).toEqual(['never asked for']);
    await token[Symbol.asyncDispose]();
  });
});

describe.skipIf(!softHsmInstalled)('a PIN', () => {
  it('shows in no argument, environment, log line or error', async () => {
    using hsm = new SoftHsm();
    const address = await hsm.makeToken('alpha');
    const { log, lines } = recordingLogger();
    const path = hsm.pinFile();
    await using token = new SupervisedToken(address, pinFromFile(path), tokenOptions({ log }));
    await token.open();
    const proc = `/proc/${token.agentPid ?? 0}`;
    for (const file of ['cmdline', 'environ']) {
      expect(readFileSync(join(proc, file), 'latin1')).not.toContain(PIN);
    }
    hsm.pinFile('314159');
    process.kill(token.agentPid ?? 0, 'SIGKILL');
    const error = await token.randomBytes(1).catch((caught: unknown) => caught);
    const text = `${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`;
    expect(text).toContain('pin-rejected');
    for (const secret of [PIN, '314159']) {
      expect(text).not.toContain(secret);
      expect(lines.join('\n')).not.toContain(secret);
    }
  });

  it('file that others may read is refused, and so is an empty or missing one', async () => {
    using hsm = new SoftHsm();
    const refused = async (path: string, why: string): Promise<void> => {
      await expect(pinFromFile(path).read()).rejects.toMatchObject({
        code: 'hsm.pin-unreadable',
        message: expect.stringContaining(why),
      });
    };
    await refused(hsm.pinFile(PIN, 'wide', 0o440), 'chmod 0400');
    await refused(hsm.pinFile('', 'empty'), 'empty');
    await refused(hsm.pinFile('7'.repeat(256), 'long'), 'longer');
    await refused(join(hsm.directory, 'missing'), 'no such file');
    await refused(hsm.directory, 'no regular file');
    // None of these is typed by anybody, and each would cost one of the few tries.
    await refused(hsm.pinFile(`${PIN}\r`, 'windows'), 'carriage return');
    await refused(hsm.pinFile(`${PIN}\n`, 'two-lines'), 'line break');
    await refused(hsm.pinFile(`${PIN}\0`, 'nul'), 'control character');
    const latin = hsm.pinFile(PIN, 'latin', 0o600);
    writeFileSync(latin, Buffer.from('p\u00e4ss', 'latin1'));
    await refused(latin, 'UTF-8');
    using pin = await pinFromFile(hsm.pinFile(PIN)).read();
    expect(Buffer.from(pin.reveal()).toString()).toBe(PIN);
  });
});

describe('a PIN from a file descriptor', () => {
  it('is read once, however often a node begins again, and what has the number then is left alone', async () => {
    using hsm = new SoftHsm();
    const descriptor = openSync(hsm.pinFile(), 'r');
    const read = async (): Promise<string> => {
      using pin = await pinFromDescriptor(descriptor).read();
      return Buffer.from(pin.reveal()).toString();
    };
    expect(await read()).toBe(PIN);
    const others: number[] = [];
    while (!others.includes(descriptor) && others.length < 64) {
      others.push(openSync(hsm.pinFile('000000', 'other'), 'r'));
    }
    expect(others).toContain(descriptor);
    expect(await read()).toBe(PIN);
    expect(fstatSync(descriptor).isFile()).toBe(true);
    for (const other of others) closeSync(other);
  });

  it('ends at its line break, though the other end of the pipe stays open', async () => {
    using hsm = new SoftHsm();
    const path = join(hsm.directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    writeSync(writer, `${PIN}\n`);
    using pin = await pinFromDescriptor(descriptor).read();
    expect(Buffer.from(pin.reveal()).toString()).toBe(PIN);
    closeSync(writer);
  });
});

function isAlive(pid: number): boolean {
  try {
    // A zombie that its parent has not reaped is as dead.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
