import { once } from 'node:events';
import { type ServiceError, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { asAbortSignal, type Cancellation, deferred } from '../../src/lib/index.ts';
import type { SecretEvent, Vault } from '../../src/vault/index.ts';
import { decodeMessage, encodeMessage, methods } from '../../src/wire/index.ts';
import { ApiFixture, failureOf } from './fixture.ts';

const { path, request, response } = methods['watch.watch'];
const asked = (afterRevision = 0) =>
  encodeMessage(request, { mount: 'secret', path: 'team/', afterRevision });
const event: SecretEvent = { kind: 'put', path: 'team/db', version: 2, revision: 5 };

const failed = (call: { once(event: 'error', listener: (error: ServiceError) => void): void }) =>
  new Promise<never>((_, reject) => {
    call.once('error', reject);
  });

test('changes are told as they come, from where the caller left off', async () => {
  await using api = await ApiFixture.start();
  api.vault.tell({ events: [{ ...event, revision: 4 }], revision: 4 });
  api.vault.tell({ events: [event], revision: 5 });
  const call = api.serverStream(path, asked(4));
  for await (const bytes of call) {
    expect(decodeMessage(response, bytes as Buffer)).toEqual({ events: [event], revision: 5 });
    break;
  }
});

test('a caller that goes away ends the watch in the vault', async () => {
  await using api = await ApiFixture.start();
  const signals = deferred<Cancellation>();
  const watch = api.vault.watch.bind(api.vault);
  api.vault.watch = (asking) => {
    signals.resolve(asking.signal);
    return watch(asking);
  };
  const call = api.serverStream(path, asked());
  call.on('error', () => {});
  const signal = await signals.promise;
  call.cancel();
  if (!signal.aborted) await once(asAbortSignal(signal), 'abort');
  expect(signal.aborted).toBe(true);
});

test('a caller that does not read is not read ahead for without end', async () => {
  await using api = await ApiFixture.start();
  let produced = 0;
  const events = Array.from({ length: 200 }, () => ({ ...event, path: 'p'.repeat(200) }));
  async function* endless() {
    for (;;) {
      produced++;
      // Gives the connection its turns: held back is what must stop this, not a busy loop.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      yield { events, revision: produced };
    }
  }
  api.vault.watch = endless as unknown as Vault['watch'];
  const call = api.serverStream(path, asked());
  call.on('error', () => {});
  // (A call that was never read from at all is buffered whole by gRPC's client.)
  await once(call, 'data');
  call.pause();
  let before = -1;
  // Settles when a whole round of turns brings nothing more.
  while (produced !== before) {
    before = produced;
    for (let turn = 0; turn < 200; turn++)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
  }
  expect(produced).toBeLessThan(500);
  call.cancel();
});

test('a stopping node ends its watches and says so', async () => {
  const api = await ApiFixture.start();
  api.vault.tell({ events: [event], revision: 5 });
  const call = api.serverStream(path, asked(1));
  const ended = failed(call);
  ended.catch(() => {});
  await once(call, 'data');
  const stopped = api.server.stop(2_000);
  const { error, detail } = await failureOf(ended);
  expect(error.code).toBe(status.UNAVAILABLE);
  expect(detail?.code).toBe('node.stopping');
  api.client.close();
  await stopped;
});

test('open streams are bounded', async () => {
  await using api = await ApiFixture.start({ openStreamsMax: 1 });
  api.vault.tell({ events: [event], revision: 5 });
  const first = api.serverStream(path, asked(1));
  first.on('error', () => {});
  await once(first, 'data');
  const { detail } = await failureOf(failed(api.serverStream(path, asked(1))));
  expect(detail?.code).toBe('request.overloaded');
  first.cancel();
});

test('a revision past what a number holds is refused', async () => {
  await using api = await ApiFixture.start();
  const bytes = Buffer.from([0x18, ...Array.from({ length: 9 }, () => 0xff), 0x01]);
  const { detail } = await failureOf(failed(api.serverStream(path, bytes).resume()));
  expect(detail?.code).toBe('request.invalid');
});
