import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { shareHostNames } from '../../../src/server/names/resolver.ts';

shareHostNames();

test('a connection finds a host by its name and by its address, and says when there is no such name', async () => {
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  try {
    await connect(`localhost:${port}`);
    await connect(`127.0.0.1:${port}`);
    await expect(call('no-such-host.invalid:1')).rejects.toThrow(
      /Cannot find the address of no-such-host.invalid/,
    );
  } finally {
    server.forceShutdown();
  }
});

function connect(target: string): Promise<void> {
  const client = new Client(target, credentials.createInsecure());
  return new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
  }).finally(() => client.close());
}

function call(target: string): Promise<unknown> {
  const client = new Client(target, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/a/b', same, same, Buffer.alloc(0), (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
  }).finally(() => client.close());
}
