import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';

/** The command line in a process of its own, which ends when nothing keeps it. */
async function strongroom(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [status] = (await once(child, 'close')) as [number];
  return { status, err };
}

/** A port of this machine where nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('a command in a process of its own', () => {
  it('says that no node can be reached, instead of ending while it waits', async () => {
    const STRONGROOM_ADDR = `127.0.0.1:${await freePort()}`;
    const { status, err } = await strongroom(['status', '-timeout=1s'], { STRONGROOM_ADDR });
    expect(err).toContain('nothing listens there');
    expect(err).toContain('Code:  client.unreachable');
    expect(status).toBe(4);
  });
});
