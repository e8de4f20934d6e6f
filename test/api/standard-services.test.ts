import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { grpc, publicFileDescriptors } from '../../src/wire/index.ts';
import { ApiFixture, failureOf } from './fixture.ts';

const { HealthCheckRequest, HealthCheckResponse } = grpc.health.v1;
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse.ServingStatus;
const asked = (service: string) => HealthCheckRequest.encode({ service }).finish();
const statusIn = (bytes: Buffer) => HealthCheckResponse.decode(bytes).status;

async function check(api: ApiFixture, service: string): Promise<number> {
  return statusIn(await api.call('/grpc.health.v1.Health/Check', asked(service)).answer);
}

test('health follows the node, as a whole and for each service', async () => {
  await using api = await ApiFixture.start();
  expect(await check(api, '')).toBe(SERVING);
  expect(await check(api, 'strongroom.v1.KvService')).toBe(SERVING);
  api.health.set(false);
  expect(await check(api, '')).toBe(NOT_SERVING);
  const { error } = await failureOf(check(api, 'no.Such'));
  expect(error.code).toBe(status.NOT_FOUND);
});

test('a health watch is told at once, at every change, and when the node stops', async () => {
  const api = await ApiFixture.start();
  const call = api.watchHealth('');
  const unknown = api.watchHealth('no.Such');
  const told = call[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const next = async () => statusIn((await told.next()).value as Buffer);
  expect(await next()).toBe(SERVING);
  api.health.set(false);
  expect(await next()).toBe(NOT_SERVING);
  api.health.set(true);
  expect(await next()).toBe(SERVING);
  for await (const bytes of unknown) {
    expect(statusIn(bytes as Buffer)).toBe(SERVICE_UNKNOWN);
    break;
  }
  const stopped = api.server.stop(1_000);
  expect(await next()).toBe(NOT_SERVING);
  expect((await told.next()).done).toBe(true);
  api.client.close();
  await stopped;
});

test.each(['v1', 'v1alpha'])(
  'reflection %s lists the services and gives their files',
  async (v) => {
    await using api = await ApiFixture.start();
    const stream = api.openStream(`/grpc.reflection.${v}.ServerReflection/ServerReflectionInfo`);
    const answers = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    // ServerReflectionRequest { string list_services = 7; }
    stream.write(Buffer.from([0x3a, 0x01, 0x2a]));
    const listed = ((await answers.next()).value as Buffer).toString('latin1');
    for (const name of [
      'strongroom.v1.KvService',
      'strongroom.v1.PipelineService',
      'grpc.health.v1',
    ])
      expect(listed).toContain(name);
    // ServerReflectionRequest { string file_containing_symbol = 4; }
    const symbol = Buffer.from('strongroom.v1.KvService');
    stream.write(Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]));
    const file = ((await answers.next()).value as Buffer).toString('latin1');
    expect(file).toContain('KvPutRequest');
    stream.end();
  },
);

test('what only nodes say to one another is not in what reflection serves', () => {
  const text = publicFileDescriptors()
    .map((file) => file.toString('latin1'))
    .join('\n');
  expect(text).toContain('strongroom/v1/kv.proto');
  expect(text).not.toContain('strongroom.internal');
});
