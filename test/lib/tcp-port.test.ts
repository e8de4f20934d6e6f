import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { splitAddress, TcpPort } from '../../src/lib/index.ts';

describe('a TCP port', () => {
  test('takes any port where 0 is asked for, and says which', async () => {
    using port = await TcpPort.open('127.0.0.1:0', 'a test', () => {});
    expect(port.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    await once(connect(splitAddress(port.address)), 'connect');
  });

  test('takes an IPv6 address in brackets', async () => {
    using port = await TcpPort.open('[::1]:0', 'a test', () => {});
    expect(port.address).toMatch(/^\[::1\]:[1-9]\d*$/);
    await once(connect(splitAddress(port.address)), 'connect');
  });

  test('that is taken is named in the error, with what it was wanted for', async () => {
    using first = await TcpPort.open('127.0.0.1:0', 'a test', () => {});
    await expect(TcpPort.open(first.address, 'other nodes', () => {})).rejects.toMatchObject({
      code: 'node.address-unavailable',
      message: expect.stringMatching(
        /^Cannot listen for other nodes on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
      ),
    });
  });

  test('that stops accepting keeps whom it has; one that ends keeps nobody', async () => {
    const port = await TcpPort.open('127.0.0.1:0', 'a test', (socket) => socket.write('hello'));
    const client = connect(splitAddress(port.address));
    await once(client, 'data');
    port.stopAccepting();
    const refused = connect(splitAddress(port.address));
    await expect(once(refused, 'connect')).rejects.toThrow('ECONNREFUSED');
    expect(client.destroyed).toBe(false);
    port[Symbol.dispose]();
    await once(client, 'close');
  });
});
