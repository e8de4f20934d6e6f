import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * `count` ports of loopback that nobody listens on at the moment. Below the range from which the
 * system takes the near ends of connections, so that none of those takes one meanwhile.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count && attempt < 100 * count; attempt++) {
    const port = randomInt(12_000, 32_000);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size < count) throw new Error(`Found only ${found.size} of ${count} free ports`);
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
