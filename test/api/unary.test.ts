import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { type Cancellation, deferred, StrongroomError, utf8Bytes } from '../../src/lib/index.ts';
import { decodeMessage, encodeMessage, google, methods } from '../../src/wire/index.ts';
import { ApiFixture, failureOf } from './fixture.ts';

const put = methods['kv.put'];
const get = methods['kv.get'];
const secret = { mount: 'secret', path: 'team/db', data: utf8Bytes('{"a":"b"}') };

test('a put and a get go through the vault and back over TLS', async () => {
  await using api = await ApiFixture.start();
  const putAnswer = decodeMessage(put.response, await api.put(secret));
  expect(putAnswer).toMatchObject({ revision: 1, version: { version: 1 }, customMetadata: {} });
  const bytes = await api.call(get.path, encodeMessage(get.request, secret)).answer;
  const got = decodeMessage(get.response, bytes);
  expect(Buffer.from(got.data ?? []).toString()).toBe('{"a":"b"}');
});

test('the vault is handed defaults for what was not sent, and nothing for what is optional', async () => {
  await using api = await ApiFixture.start();
  await api.put({ path: 'x' });
  const payload = api.vault.requests[0]?.payload ?? {};
  expect(payload).toMatchObject({ mount: '', path: 'x' });
  expect(payload['data']).toHaveLength(0);
  expect('cas' in payload).toBe(false);
  await failureOf(api.put({ path: 'x', cas: 0 }));
  expect(api.vault.requests[1]?.payload['cas']).toBe(0);
});

test('metadata becomes token, namespace, consistency, request id and correlation id', async () => {
  await using api = await ApiFixture.start();
  await api.put(secret, {
    authorization: 'Bearer s.abc',
    'x-strongroom-namespace': 'team-a/',
    'x-strongroom-consistency': 'revision:41',
    'x-strongroom-request-id': '00112233445566778899aabbccddeeff',
    'x-correlation-id': 'order-7',
  });
  expect(api.vault.requests[0]).toMatchObject({
    token: 's.abc',
    namespace: 'team-a',
    consistency: { kind: 'at-least', revision: 41 },
    correlationId: 'order-7',
  });
  expect(Buffer.from(api.vault.requests[0]?.requestId ?? []).toString('hex')).toBe(
    '00112233445566778899aabbccddeeff',
  );
  expect(api.vault.requests[0]?.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/);
});

test.each([
  ['authorization', 'Basic abc'],
  ['x-strongroom-consistency', 'revision:-1'],
  ['x-strongroom-consistency', 'fresh'],
  ['x-strongroom-request-id', 'zz'],
  ['x-strongroom-request-id', '0011'],
  ['x-strongroom-namespace', 'n'.repeat(600)],
  ['x-strongroom-token', 't'.repeat(5000)],
  ['x-correlation-id', 'c'.repeat(200)],
])('metadata %s: %.20s is refused and never reaches the vault', async (key, value) => {
  await using api = await ApiFixture.start();
  const { error, detail } = await failureOf(api.put(secret, { [key]: value }));
  expect(error.code).toBe(status.INVALID_ARGUMENT);
  expect(detail?.code).toBe('request.invalid');
  expect(api.vault.requests).toHaveLength(0);
});

test('a failure carries its code, details and retry advice in both trailers', async () => {
  await using api = await ApiFixture.start();
  const { error, detail } = await failureOf(api.put({ ...secret, cas: 3 }));
  expect(error.code).toBe(status.FAILED_PRECONDITION);
  expect(error.details).toBe('The version is another');
  expect(detail).toEqual({
    code: 'kv.check-and-set-mismatch',
    message: 'The version is another',
    details: { current: '0' },
    retry: 'never',
    status: status.FAILED_PRECONDITION,
  });
  const [rich] = error.metadata.get('grpc-status-details-bin');
  const rpcStatus = google.rpc.Status.decode(rich as Buffer);
  expect(rpcStatus.code).toBe(status.FAILED_PRECONDITION);
  expect(rpcStatus.details?.[0]?.type_url).toBe('type.googleapis.com/strongroom.v1.ErrorDetail');
});

test('a bug is logged with its facts, and the caller learns only the correlation id', async () => {
  await using api = await ApiFixture.start();
  api.vault.handlers.set('kv.put', () => Promise.reject(new Error('boom at /srv/keys')));
  const { error, detail } = await failureOf(api.put(secret, { 'x-correlation-id': 'c-1' }));
  expect(error.code).toBe(status.INTERNAL);
  expect(detail).toMatchObject({ code: 'node.internal', details: { correlationId: 'c-1' } });
  expect(JSON.stringify([error.message, detail])).not.toContain('boom');
  expect(api.log.errors[0]).toMatchObject({ correlationId: 'c-1' });
});

test('an unknown field, a wrong wire type and garbage are refused before the vault', async () => {
  await using api = await ApiFixture.start();
  const good = Buffer.from(encodeMessage(put.request, secret));
  const unknownField = Buffer.concat([good, Buffer.from([0x98, 0x06, 0x01])]); // field 99
  const wrongType = Buffer.concat([good, Buffer.from([0x08, 0x01])]); // mount as a varint
  const garbage = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
  const invalidUtf8 = Buffer.from([0x0a, 0x02, 0xc3, 0x28]);
  for (const bytes of [unknownField, wrongType, garbage, invalidUtf8, good.subarray(0, -1)]) {
    const { detail } = await failureOf(api.call(put.path, bytes).answer);
    expect(detail?.code).toBe('request.invalid');
  }
  const { detail } = await failureOf(api.call(put.path, unknownField).answer);
  expect(detail?.message).toContain('unknown field 99');
  expect(api.vault.requests).toHaveLength(0);
});

test('an operation the vault does not have is told apart from one that failed', async () => {
  await using api = await ApiFixture.start();
  const { error, detail } = await failureOf(
    api.call('/strongroom.v1.KvService/List', new Uint8Array()).answer,
  );
  expect(error.code).toBe(status.UNIMPLEMENTED);
  expect(detail?.code).toBe('request.unknown-operation');
});

test('a message over the bound is refused', async () => {
  await using api = await ApiFixture.start({ messageBytesMax: 10_000 });
  const { error } = await failureOf(api.put({ ...secret, data: new Uint8Array(20_000) }));
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(api.vault.requests).toHaveLength(0);
});

test('cancelling a call fires its signal in the vault', async () => {
  await using api = await ApiFixture.start();
  const arrived = deferred<Cancellation>();
  api.vault.handlers.set('kv.get', ({ signal }) => {
    arrived.resolve(signal);
    return new Promise(() => {});
  });
  const call = api.call(get.path, encodeMessage(get.request, secret));
  const signal = await arrived.promise;
  const aborted = new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined));
  });
  call.cancel();
  await aborted;
  expect((signal.reason as StrongroomError).code).toMatch(/^request\.cancelled$/);
  expect((await failureOf(call.answer)).error.code).toBe(status.CANCELLED);
});

test('a deadline ends the call on both sides', async () => {
  await using api = await ApiFixture.start();
  const arrived = deferred<Cancellation>();
  api.vault.handlers.set('kv.get', ({ signal }) => {
    arrived.resolve(signal);
    return new Promise(() => {});
  });
  const { answer } = api.call(get.path, encodeMessage(get.request, secret), {}, 150);
  expect((await failureOf(answer)).error.code).toBe(status.DEADLINE_EXCEEDED);
  const signal = await arrived.promise;
  if (!signal.aborted)
    await new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined));
    });
  expect(signal.aborted).toBe(true);
});

test('calls over the in-flight bound are refused until one is done', async () => {
  await using api = await ApiFixture.start({ connectionInFlightMax: 1 });
  const arrived = deferred<void>();
  const finish = deferred<void>();
  api.vault.handlers.set('kv.get', async () => {
    arrived.resolve();
    await finish.promise;
    return { payload: { revision: 5 } };
  });
  const first = api.call(get.path, encodeMessage(get.request, secret)).answer;
  await arrived.promise;
  expect((await failureOf(api.put(secret))).detail?.code).toBe('request.overloaded');
  finish.resolve();
  await first;
  await expect(api.put(secret)).resolves.toBeDefined();
});

test('calls over the rate are refused with how long to wait', async () => {
  await using api = await ApiFixture.start({ connectionCallsPerSecond: 1 });
  await api.put(secret);
  const { error, detail } = await failureOf(api.put(secret));
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(detail).toMatchObject({ code: 'request.rate-limited', retry: 'same-node' });
  expect(Number(detail?.details['retryAfterMs'])).toBeGreaterThan(0);
});

test('an answer larger than a message is refused, not cut', async () => {
  await using api = await ApiFixture.start({ messageBytesMax: 1000 });
  api.vault.handlers.set('kv.get', () =>
    Promise.resolve({ payload: { revision: 1, data: new Uint8Array(2000) } }),
  );
  const { detail } = await failureOf(api.call(get.path, encodeMessage(get.request, secret)).answer);
  expect(detail?.code).toBe('request.too-large');
});

test('stopping answers what is in flight', async () => {
  const api = await ApiFixture.start();
  const arrived = deferred<void>();
  const finish = deferred<void>();
  api.vault.handlers.set('kv.get', async () => {
    arrived.resolve();
    await finish.promise;
    return { payload: { revision: 9 } };
  });
  const { answer } = api.call(get.path, encodeMessage(get.request, secret));
  await arrived.promise;
  const stopped = api.server.stop(5_000);
  finish.resolve();
  expect(decodeMessage(get.response, await answer).revision).toBe(9);
  api.client.close();
  await stopped;
});

test('an address in use is named in the refusal', async () => {
  await using api = await ApiFixture.start();
  await expect(ApiFixture.start({}, { address: api.address })).rejects.toMatchObject({
    code: 'node.address-unavailable',
  });
});
