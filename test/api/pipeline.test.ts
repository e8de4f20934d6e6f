import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Cancellation, deferred, utf8Bytes } from '../../src/lib/index.ts';
import type { VaultRequest } from '../../src/vault/index.ts';
import {
  decodeMessage,
  encodeMessage,
  type Input,
  type messages,
  methods,
} from '../../src/wire/index.ts';
import { ApiFixture, failureOf } from './fixture.ts';

const { path, request: frameType, response: answerType } = methods['pipeline.open'];
const get = methods['kv.get'];
const put = methods['kv.put'];

/** A pipeline as bare frames. */
class RawPipeline {
  readonly answers = new Map<number, messages.PipelineAnswer>();
  frames = 0;
  readonly ended: Promise<ServiceError | undefined>;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #wake = () => {};

  constructor(api: ApiFixture, metadata: Readonly<Record<string, string>> = {}) {
    this.#stream = api.openStream(path, metadata);
    this.#stream.on('data', (bytes: Buffer) => {
      this.frames++;
      for (const answer of decodeMessage(answerType, bytes).answers)
        this.answers.set(answer.id, answer);
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      this.#stream.on('error', (error: ServiceError) => resolve(error));
      this.#stream.on('end', () => resolve(undefined));
    });
  }

  send(frame: Input<messages.PipelineFrame>): void {
    this.sendBytes(encodeMessage(frameType, frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#stream.write(Buffer.from(bytes));
  }

  async answer(id: number): Promise<messages.PipelineAnswer> {
    for (;;) {
      const answer = this.answers.get(id);
      if (answer !== undefined) return answer;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  done(): void {
    this.#stream.end();
  }
}

const getCall = (id: number, more: Input<messages.PipelineCall> = {}) => ({
  id,
  operation: 'kv.get',
  request: encodeMessage(get.request, { mount: 'secret', path: `p${id}` }),
  ...more,
});
const putCall = (id: number) => ({
  id,
  operation: 'kv.put',
  request: encodeMessage(put.request, {
    mount: 'secret',
    path: `p${id}`,
    data: utf8Bytes('{"k":1}'),
  }),
});
const never = () => new Promise<never>(() => {});

test('calls of one frame are answered together, each under its id', async () => {
  await using api = await ApiFixture.start();
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: Array.from({ length: 50 }, (_, i) => putCall(i + 1)) });
  for (let id = 1; id <= 50; id++) {
    const { response, error } = await pipeline.answer(id);
    expect(error).toBeUndefined();
    expect(decodeMessage(put.response, response).version?.version).toBe(1);
  }
  expect(pipeline.frames).toBeLessThan(10);
  pipeline.done();
  expect(await pipeline.ended).toBeUndefined();
});

test('answers come as they are ready, in any order', async () => {
  await using api = await ApiFixture.start();
  const slow = deferred<void>();
  api.vault.handlers.set('kv.get', async ({ payload }) => {
    if (payload['path'] === 'p1') await slow.promise;
    return { payload: { revision: 3 } };
  });
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: [getCall(1), getCall(2)] });
  await pipeline.answer(2);
  expect(pipeline.answers.has(1)).toBe(false);
  slow.resolve();
  expect(decodeMessage(get.response, (await pipeline.answer(1)).response).revision).toBe(3);
});

test('defaults hold until set again, and a call may name its own', async () => {
  await using api = await ApiFixture.start();
  api.vault.handlers.set('kv.get', () => Promise.resolve({ payload: { revision: 1 } }));
  const pipeline = new RawPipeline(api, { 'x-strongroom-token': 'from-metadata' });
  pipeline.send({ calls: [getCall(1)] });
  await pipeline.answer(1);
  pipeline.send({ defaults: { token: 't1', namespace: 'a' }, calls: [getCall(2)] });
  await pipeline.answer(2);
  pipeline.send({
    calls: [
      getCall(3, {
        token: 't2',
        namespace: 'b',
        consistency: { boundedStalenessMs: 250 },
        requestId: new Uint8Array(16).fill(7),
        correlationId: 'c3',
      }),
    ],
  });
  await pipeline.answer(3);
  const seen = api.vault.requests.map(({ token, namespace }) => [token, namespace]);
  expect(seen).toEqual([
    ['from-metadata', ''],
    ['t1', 'a'],
    ['t2', 'b'],
  ]);
  expect(api.vault.requests[2]).toMatchObject({
    consistency: { kind: 'bounded', stalenessMs: 250 },
    correlationId: 'c3',
  });
  expect(api.vault.requests[2]?.requestId).toHaveLength(16);
});

test('a failing call fails alone, with its detail', async () => {
  await using api = await ApiFixture.start();
  const pipeline = new RawPipeline(api);
  pipeline.send({
    calls: [
      getCall(1),
      putCall(2),
      { id: 3, operation: 'kv.fly' },
      { id: 4, operation: 'watch.watch' },
      { id: 5, operation: 'kv.get', request: Uint8Array.of(0x98, 0x06, 0x01) },
      getCall(6, { requestId: Uint8Array.of(1) }),
    ],
  });
  await pipeline.answer(6);
  const codes = [1, 2, 3, 4, 5, 6].map((id) => pipeline.answers.get(id)?.error?.code);
  expect(codes).toEqual([
    'kv.not-found',
    undefined,
    'request.unknown-operation',
    'request.unknown-operation',
    'request.invalid',
    'request.invalid',
  ]);
  expect(pipeline.answers.get(1)?.error).toMatchObject({ status: status.NOT_FOUND });
});

test('cancelling fires the signal of that call only, and it is answered as cancelled', async () => {
  await using api = await ApiFixture.start();
  const seen: VaultRequest[] = [];
  const both = deferred<void>();
  api.vault.handlers.set('kv.get', (request) => {
    seen.push(request);
    if (seen.length === 2) both.resolve();
    return never();
  });
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: [getCall(1), getCall(2)] });
  await both.promise;
  pipeline.send({ cancel: [1, 999] });
  expect((await pipeline.answer(1)).error?.code).toBe('request.cancelled');
  expect(seen.map((request) => request.signal.aborted)).toEqual([true, false]);
  // Nothing in flight, so that the server stops at once.
  pipeline.send({ cancel: [2] });
  await pipeline.answer(2);
});

test('a call has a deadline of its own', async () => {
  await using api = await ApiFixture.start();
  api.vault.handlers.set('kv.get', never);
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: [getCall(1, { deadlineMs: 20 }), putCall(2)] });
  expect((await pipeline.answer(2)).error).toBeUndefined();
  expect((await pipeline.answer(1)).error?.code).toBe('request.deadline-exceeded');
});

test('calls over the bound in flight are refused, the others are not harmed', async () => {
  await using api = await ApiFixture.start({ pipelineInFlightMax: 2 });
  const finish = deferred<void>();
  api.vault.handlers.set('kv.get', async () => {
    await finish.promise;
    return { payload: { revision: 1 } };
  });
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: [getCall(1), getCall(2), getCall(3)] });
  expect((await pipeline.answer(3)).error?.code).toBe('request.overloaded');
  finish.resolve();
  expect((await pipeline.answer(1)).error).toBeUndefined();
  pipeline.send({ calls: [getCall(4)] });
  expect((await pipeline.answer(4)).error).toBeUndefined();
});

test.each([
  ['garbage', Buffer.from([0xff, 0xff, 0xff])],
  ['an unknown field', Buffer.from([0x98, 0x06, 0x01])],
  ['one id twice', encodeMessage(frameType, { calls: [getCall(1), getCall(1)] })],
  ['an id past 2^53', Buffer.from('120b08ffffffffffffffffff01', 'hex')],
  [
    'too many calls',
    encodeMessage(frameType, { calls: Array.from({ length: 9 }, (_, i) => getCall(i)) }),
  ],
])('%s ends the stream with request.invalid and ends what was in flight', async (_, bytes) => {
  await using api = await ApiFixture.start({ pipelineFrameItemsMax: 8 });
  const signals: Cancellation[] = [];
  const arrived = deferred<void>();
  api.vault.handlers.set('kv.get', ({ signal }) => {
    signals.push(signal);
    arrived.resolve();
    return never();
  });
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: [getCall(77)] });
  await arrived.promise;
  pipeline.sendBytes(bytes);
  const { error, detail } = await failureOf(
    pipeline.ended.then((failure) => Promise.reject(failure ?? new Error('ended well'))),
  );
  expect(error.code).toBe(status.INVALID_ARGUMENT);
  expect(detail?.code).toBe('request.invalid');
  expect(signals.every((signal) => signal.aborted)).toBe(true);
});

test('a caller that goes away ends what it had in flight', async () => {
  await using api = await ApiFixture.start();
  const arrived = deferred<Cancellation>();
  api.vault.handlers.set('kv.get', ({ signal }) => {
    arrived.resolve(signal);
    return never();
  });
  const stream = api.openStream(path);
  stream.on('error', () => {});
  stream.write(Buffer.from(encodeMessage(frameType, { calls: [getCall(1)] })));
  const signal = await arrived.promise;
  const aborted = new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined));
  });
  stream.cancel();
  await aborted;
  expect(signal.aborted).toBe(true);
});

test('a stopping node answers what is in flight and then sends the caller elsewhere', async () => {
  const api = await ApiFixture.start();
  const arrived = deferred<void>();
  const finish = deferred<void>();
  api.vault.handlers.set('kv.get', async () => {
    arrived.resolve();
    await finish.promise;
    return { payload: { revision: 8 } };
  });
  const pipeline = new RawPipeline(api);
  pipeline.send({ calls: [getCall(1)] });
  await arrived.promise;
  const stopped = api.server.stop(5_000);
  pipeline.send({ calls: [putCall(2)] });
  expect((await pipeline.answer(2)).error?.code).toBe('node.stopping');
  finish.resolve();
  expect(decodeMessage(get.response, (await pipeline.answer(1)).response).revision).toBe(8);
  expect((await pipeline.ended)?.code).toBe(status.UNAVAILABLE);
  api.client.close();
  await stopped;
});

test('no bytes that a stranger sends bring the server down', async () => {
  await using api = await ApiFixture.start();
  const good = encodeMessage(frameType, {
    defaults: { token: 't', namespace: 'n' },
    calls: [putCall(1), getCall(2)],
    cancel: [3],
  });
  const mutated = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
    .map((changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), async (bytes) => {
      const pipeline = new RawPipeline(api);
      pipeline.sendBytes(bytes);
      pipeline.done();
      const error = await pipeline.ended;
      expect([undefined, status.INVALID_ARGUMENT]).toContain(error?.code);
    }),
    { numRuns: 150 },
  );
  expect(api.log.errors).toEqual([]);
  await expect(api.put({ mount: 'm', path: 'p' })).resolves.toBeDefined();
});
