import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';
/** Below the range from which the system takes ports of its own for outgoing connections. */
const FIRST = 12_000;
const BLOCK_PORTS = 50;
const BLOCKS = 400;
const TRIES_MAX = 1_000;

let rest: number[] = [];

/**
 * `count` ports of loopback that nobody listens on, and that no other process that asks here is
 * given either: a block of ports is this process's for as long as it holds the block's first one.
 * Looking alone would not do, for a node binds its ports much later than they are chosen.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries++) {
    if (tries > TRIES_MAX) throw new Error(`Found only ${found.length} of ${count} free ports`);
    const port = rest.pop();
    if (port === undefined) rest = await claimBlock();
    else if (await isFree(port)) found.push(port);
  }
  return found;
}

/** The first of `count` such ports in a row, at most 49. */
export async function freePortRow(count: number): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const row = (await claimBlock()).slice(0, count);
    if (row.length === count && (await Promise.all(row.map(isFree))).every((free) => free)) {
      return row[0] ?? 0;
    }
  }
  throw new Error(`Found no ${count} free ports in a row`);
}

async function claimBlock(): Promise<number[]> {
  const first = FIRST + randomInt(BLOCKS) * BLOCK_PORTS;
  const claim = createServer((socket) => socket.destroy()).unref();
  claim.listen(first, HOST);
  try {
    await once(claim, 'listening');
  } catch {
    return [];
  }
  return Array.from({ length: BLOCK_PORTS - 1 }, (_, at) => first + 1 + at);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
