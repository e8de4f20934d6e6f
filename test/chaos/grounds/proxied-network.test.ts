import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ProxiedNetwork } from '../../../chaos/grounds/processes/proxied-network.ts';
import { TcpProxy } from '../../../chaos/grounds/processes/tcp-proxy.ts';

/** Node b, which says back what it hears, reached by a; and the other way round. */
async function twoNodes() {
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      heard.push(chunk.toString());
      socket.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxies = {
    'a b': await TcpProxy.listen({ port }),
    'b a': await TcpProxy.listen({ port }),
  };
  const network = new ProxiedNetwork((from, to) => proxies[`${from} ${to}` as 'a b']);
  return {
    network,
    heard,
    proxies,
    async [Symbol.asyncDispose]() {
      for (const proxy of Object.values(proxies)) await proxy[Symbol.asyncDispose]();
      server.close();
    },
  };
}

async function opened(proxy: TcpProxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.write('hello');
  await once(socket, 'data');
  return socket;
}

test('one direction of a link can be cut: what is asked arrives, and the answer does not', async () => {
  await using nodes = await twoNodes();
  const { network, heard, proxies } = nodes;
  const socket = await opened(proxies['a b']);
  let answers = '';
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString();
  });
  await network.lay('1', [{ from: 'b', to: 'a', shape: { blocked: 'drop' } }]);
  socket.write('question');
  // What is asked over another connection comes later than what could have come over this one.
  const witness = connect(proxies['a b'].port, '127.0.0.1');
  witness.write('later');
  while (!heard.includes('later')) await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toContain('question');
  expect(answers).toBe('');
  await network.lift('1');
  while (answers === '') await once(socket, 'data');
  expect(answers).toBe('question');
  socket.destroy();
  witness.destroy();
});

test('a layer that is lifted, even twice, leaves the other layers as they were', async () => {
  await using nodes = await twoNodes();
  const { network, proxies } = nodes;
  const link = { from: 'a', to: 'b' };
  await network.lay('slow', [{ ...link, shape: { delayMs: 40 } }]);
  await network.lay('cut', [{ ...link, shape: { blocked: 'refuse' } }]);
  await network.lift('slow');
  const refused = connect(proxies['a b'].port, '127.0.0.1');
  refused.on('error', () => undefined);
  // `events.once` would reject at the reset that is awaited here.
  await new Promise<void>((resolve) => refused.once('close', () => resolve()));
  expect(proxies['a b'].state('forth')).toEqual({ kind: 'cut' });
  await network.lift('cut');
  await network.lift('cut');
  expect(proxies['a b'].state('forth')).toEqual({ kind: 'pass' });
  const socket = await opened(proxies['a b']);
  socket.destroy();
});

test('delays of two layers add up, and bytes stay in order', async () => {
  await using nodes = await twoNodes();
  const { network, heard, proxies } = nodes;
  const socket = await opened(proxies['a b']);
  for (const layer of ['one', 'two'])
    await network.lay(layer, [{ from: 'a', to: 'b', shape: { delayMs: 60, jitterMs: 20 } }]);
  const sentAt = performance.now();
  socket.setNoDelay(true);
  for (let count = 0; count < 20; count++) socket.write(`${count} `);
  const expected = `hello${Array.from({ length: 20 }, (_, at) => `${at} `).join('')}`;
  while (heard.join('') !== expected) await once(socket, 'data');
  expect(performance.now() - sentAt).toBeGreaterThan(75);
  socket.destroy();
});
