import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PinSource, pinFromFile } from '../../src/hsm/index.ts';
import { SupervisedToken } from '../../src/hsm/supervised-token.ts';
import { SystemRandom, utf8Bytes } from '../../src/lib/index.ts';
import { compilerInstalled, FaultyModule, HANGS } from '../harness/faulty-module.ts';
import { recordingLogger } from '../harness/seal.ts';
import { SoftHsm, softHsmInstalled, tokenOptions } from '../harness/softhsm.ts';

const context = utf8Bytes('context');
const secret = new SystemRandom().bytes(32);

/** What SoftHSM never does by itself, said by a module that stands before it. */
describe.skipIf(!softHsmInstalled || !compilerInstalled)('a device in trouble', () => {
  let hsm: SoftHsm;
  let module: FaultyModule;
  let pin: PinSource;
  let open: SupervisedToken[] = [];

  beforeEach(async () => {
    hsm = new SoftHsm();
    module = new FaultyModule(await hsm.makeToken('alpha'), hsm.directory);
    pin = pinFromFile(hsm.pinFile());
  });
  afterEach(async () => {
    for (const each of open) await each[Symbol.asyncDispose]();
    open = [];
    hsm[Symbol.dispose]();
  });

  const supervised = (options = {}): SupervisedToken => {
    const token = new SupervisedToken(module.address, pin, tokenOptions(options));
    open.push(token);
    return token;
  };
  const withKey = async () => {
    const token = supervised();
    const kek = await token.generateKek('kek', 'aes-gcm');
    return { token, kek, wrapped: await token.wrap(kek, secret, context) };
  };

  it('whose sessions are used up says so, and the agent that is logged in is kept for later', async () => {
    const { token, kek } = await withKey();
    const agent = token.agentPid;
    module.fail('C_OpenSession', 0xb1);
    await expect(token.proveKek(kek)).rejects.toMatchObject({
      code: 'hsm.sessions-exhausted',
      details: { ckr: 'CKR_SESSION_COUNT' },
    });
    await expect(supervised().open()).rejects.toMatchObject({ code: 'hsm.sessions-exhausted' });
    module.heal();
    await token.proveKek(kek);
    expect(token.agentPid).toBe(agent);
  });

  it('that never starts holds nobody up, and its agent does not outlive a node that is killed', async () => {
    module.fail('C_Initialize', HANGS);
    const token = supervised({ deadlines: { openMs: 500 } });
    await expect(token.open()).rejects.toMatchObject({ code: 'hsm.timeout' });
    const { environment = {}, ...address } = module.address;
    const agent = new URL('../../src/hsm/agent/agent-main.ts', import.meta.url).pathname;
    const loader = createRequire(import.meta.url).resolve('tsx');
    const node = spawn(
      process.execPath,
      [
        '-e',
        `const child = require('node:child_process').fork(${JSON.stringify(agent)}, [], {
          execArgv: ['--import', ${JSON.stringify(loader)}],
          stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        });
        child.send({ id: 1, method: 'open', args: [${JSON.stringify(address)}] });
        console.log(child.pid);
        setInterval(() => {}, 1000);`,
      ],
      { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(node.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await expect.poll(() => module.hangs(), { timeout: 20_000 }).toContain(pid);
    node.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  }, 40_000);

  it.each([
    ['evicted', 'C_DecryptInit', 0xb3],
    ['closed', 'C_DecryptInit', 0xb0],
    ['left poisoned', 'C_DecryptInit', 0x90],
  ] as const)(
    'whose session was %s is not noticed: there is another one',
    async (_what, call, ckr) => {
      const { token, kek, wrapped } = await withKey();
      const agent = token.agentPid;
      module.fail(call, ckr, 1);
      expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
      expect(token.agentPid).toBe(agent);
      // The fault is a real one: what has it again and again is given up.
      module.fail(call, ckr);
      await expect(token.unwrap(kek, wrapped, context)).rejects.toMatchObject({
        code: 'hsm.unavailable',
      });
    },
  );

  it('whose login another program has ended is logged in again by a new agent, unseen', async () => {
    const { token, kek, wrapped } = await withKey();
    const agent = token.agentPid;
    module.fail('C_DecryptInit', 0x101);
    await expect(token.unwrap(kek, wrapped, context)).rejects.toMatchObject({
      code: 'hsm.unavailable',
    });
    module.heal();
    expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
    expect(token.agentPid).not.toBe(agent);
  });

  it('whose user PIN has expired says so, and takes it once the officer has renewed it', async () => {
    module.fail('C_Login', 0xa3);
    const token = supervised();
    await expect(token.open()).rejects.toMatchObject({
      code: 'hsm.pin-unusable',
      details: { ckr: 'CKR_PIN_EXPIRED' },
    });
    module.heal();
    await token.open();
  });

  it('whose user PIN is not set is looked at three times, and says so', async () => {
    module.fail('C_Login', 0x102);
    const { log, lines } = recordingLogger();
    await expect(supervised({ log }).open()).rejects.toMatchObject({
      code: 'hsm.pin-unusable',
      details: { ckr: 'CKR_USER_PIN_NOT_INITIALIZED' },
    });
    expect(lines.filter((line) => JSON.stringify(line).includes('put away'))).toHaveLength(3);
  });

  it('that gives no random bytes still opens what is sealed', async () => {
    const { token, kek, wrapped } = await withKey();
    module.fail('C_GenerateRandom', 0x121);
    await expect(token.randomBytes(32)).rejects.toMatchObject({
      code: 'hsm.unavailable',
      details: { ckr: 'CKR_RANDOM_NO_RNG' },
    });
    expect(await token.unwrap(kek, wrapped, context)).toEqual(secret);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
