import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { TcpProxy } from '../../../chaos/grounds/processes/tcp-proxy.ts';

async function startEcho() {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

/** `events.once` would reject at the reset that is awaited here. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

test('a passing link carries bytes both ways', async () => {
  await using echo = await startEcho();
  await using proxy = await TcpProxy.listen(echo);
  const socket = connect(proxy.port, '127.0.0.1');
  socket.write('hello');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toBe('hello');
  socket.destroy();
});

test('a cut link resets what is open and refuses what is new, until it passes again', async () => {
  await using echo = await startEcho();
  await using proxy = await TcpProxy.listen(echo);
  const open = connect(proxy.port, '127.0.0.1');
  open.on('error', () => undefined);
  open.write('x');
  await once(open, 'data');
  proxy.set({ kind: 'cut' });
  await closed(open);
  const refused = connect(proxy.port, '127.0.0.1');
  refused.on('error', () => undefined);
  await closed(refused);
  proxy.set({ kind: 'pass' });
  const again = connect(proxy.port, '127.0.0.1');
  again.write('y');
  const [answer] = (await once(again, 'data')) as [Buffer];
  expect(answer.toString()).toBe('y');
  again.destroy();
});

test('a stalled link holds bytes back and loses none', async () => {
  await using echo = await startEcho();
  await using proxy = await TcpProxy.listen(echo);
  const socket = connect(proxy.port, '127.0.0.1');
  socket.write('a');
  await once(socket, 'data');
  proxy.set({ kind: 'stall' });
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  socket.write('b');
  socket.write('c');
  // A second connection through a second proxy gives the stalled bytes time to arrive, if they could.
  await using other = await TcpProxy.listen(echo);
  const witness = connect(other.port, '127.0.0.1');
  witness.write('w');
  await once(witness, 'data');
  witness.destroy();
  expect(heard).toBe('');
  proxy.set({ kind: 'pass' });
  while (heard.length < 2) await once(socket, 'data');
  expect(heard).toBe('bc');
  socket.destroy();
});

test('a process whose link was cut just when an end went through ends by itself', async () => {
  // Node cannot reset a socket whose end is on its way: it leaks the handle, and spins on it when
  // the process ends. So this needs a process of its own.
  const proxy = new URL('../../../chaos/grounds/processes/tcp-proxy.ts', import.meta.url).href;
  const program = `
    import { once } from 'node:events';
    import { connect, createServer } from 'node:net';
    import { TcpProxy } from ${JSON.stringify(proxy)};
    const far = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined).pipe(socket, { end: false });
    });
    far.listen(0, '127.0.0.1');
    await once(far, 'listening');
    const proxy = await TcpProxy.listen(far.address());
    const near = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    near.on('error', () => undefined);
    near.write('a');
    await once(near, 'data');
    proxy.set({ kind: 'stall' });
    near.end();
    setTimeout(() => {
      proxy.set({ kind: 'pass' });
      proxy.set({ kind: 'cut' });
      near.once('close', () => { far.close(); void proxy[Symbol.asyncDispose](); });
    }, 100);
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: 'ignore',
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  expect(await once(child, 'exit')).toEqual([0, null]);
});
