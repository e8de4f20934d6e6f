import {
  Client,
  credentials,
  type Metadata,
  Metadata as MetadataClass,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  type ApiBounds,
  type ApiServer,
  type ApiServerOptions,
  createApiServer,
  type SnapshotPort,
  Tls13Credentials,
} from '../../src/api/index.ts';
import { SeededRandom, systemClock } from '../../src/lib/index.ts';
import { type LogFields, type Logger, quietMetrics } from '../../src/telemetry/index.ts';
import {
  api,
  encodeMessage,
  grpc,
  type Input,
  type messages,
  methods,
} from '../../src/wire/index.ts';
import { type TestIdentity, testIdentity } from '../harness/tls.ts';
import { FakeVault } from './fake-vault.ts';

let identity: Promise<TestIdentity> | undefined;

/** One for all tests of a file: making keys costs. */
export function sharedIdentity(): Promise<TestIdentity> {
  identity ??= testIdentity();
  return identity;
}

export class TestHealth {
  #healthy = true;
  readonly #listeners = new Set<() => void>();

  healthy(): boolean {
    return this.#healthy;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(healthy: boolean): void {
    this.#healthy = healthy;
    for (const listener of this.#listeners) listener();
  }
}

/** Keeps the error lines, so that a test can see that a bug was logged. */
export class RecordingLogger implements Logger {
  readonly errors: LogFields[] = [];
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(fields: LogFields): void {
    this.errors.push(fields);
  }
  child(): Logger {
    return this;
  }
}

export class TestSnapshots implements SnapshotPort {
  restored: Uint8Array[] = [];
  toSave: readonly Uint8Array[] = [];

  async *save(): AsyncGenerator<Uint8Array> {
    yield* this.toSave;
  }

  async restore(_: unknown, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    for await (const chunk of chunks) this.restored.push(Uint8Array.from(chunk));
    return 77;
  }
}

/** An API server on loopback with TLS, a fake vault behind it and a bare client before it. */
export class ApiFixture implements AsyncDisposable {
  readonly vault: FakeVault;
  readonly health = new TestHealth();
  readonly snapshots = new TestSnapshots();
  readonly log = new RecordingLogger();
  readonly server: ApiServer;
  readonly identity: TestIdentity;
  address = '';
  #client: Client | undefined;

  private constructor(tls: TestIdentity, bounds: Partial<ApiBounds>, vault: FakeVault) {
    this.identity = tls;
    this.vault = vault;
    const options: ApiServerOptions = {
      vault: this.vault,
      snapshots: this.snapshots,
      health: this.health,
      credentials: new Tls13Credentials(tls),
      bounds,
      clock: systemClock,
      random: new SeededRandom(1),
      log: this.log,
      metrics: quietMetrics,
    };
    this.server = createApiServer(options);
  }

  static async start(
    bounds: Partial<ApiBounds> = {},
    { vault = new FakeVault(), address = '127.0.0.1:0' } = {},
  ): Promise<ApiFixture> {
    const fixture = new ApiFixture(await sharedIdentity(), bounds, vault);
    fixture.address = await fixture.server.listen(address);
    return fixture;
  }

  get client(): Client {
    this.#client ??= new Client(
      this.address,
      credentials.createSsl(Buffer.from(this.identity.ca)),
      { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_send_message_length': -1 },
    );
    return this.#client;
  }

  /** One unary call with bytes, as any gRPC client would make it. */
  call(
    path: string,
    request: Uint8Array,
    metadata: Readonly<Record<string, string>> = {},
    deadlineMs = 10_000,
  ): { readonly answer: Promise<Buffer>; readonly cancel: () => void } {
    let cancel = () => {};
    const answer = new Promise<Buffer>((resolve, reject) => {
      const call = this.client.makeUnaryRequest<Buffer, Buffer>(
        path,
        (bytes) => bytes,
        (bytes) => bytes,
        Buffer.from(request),
        metadataOf(metadata),
        { deadline: Date.now() + deadlineMs },
        (error, bytes) => (bytes === undefined ? reject(error ?? undefined) : resolve(bytes)),
      );
      cancel = () => call.cancel();
    });
    // A test may look at a failure later than it comes.
    answer.catch(() => {});
    return { answer, cancel };
  }

  put(
    request: Input<messages.KvPutRequest>,
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<Buffer> {
    const { path, request: type } = methods['kv.put'];
    return this.call(path, encodeMessage(type, request), metadata).answer;
  }

  watchHealth(service: string) {
    return this.serverStream(
      '/grpc.health.v1.Health/Watch',
      grpc.health.v1.HealthCheckRequest.encode({ service }).finish(),
    );
  }

  serverStream(path: string, request: Uint8Array, metadata: Readonly<Record<string, string>> = {}) {
    return this.client.makeServerStreamRequest<Buffer, Buffer>(
      path,
      (bytes) => bytes,
      (bytes) => bytes,
      Buffer.from(request),
      metadataOf(metadata),
    );
  }

  openStream(path: string, metadata: Readonly<Record<string, string>> = {}) {
    return this.client.makeBidiStreamRequest<Buffer, Buffer>(
      path,
      (bytes) => bytes,
      (bytes) => bytes,
      metadataOf(metadata),
      { deadline: Date.now() + 20_000 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    await this.server.stop(0);
  }
}

export function metadataOf(entries: Readonly<Record<string, string>>): Metadata {
  const metadata = new MetadataClass();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
}

/** The failure of a call, with the detail that its trailers hold. */
export async function failureOf(answer: Promise<unknown>): Promise<{
  readonly error: ServiceError;
  readonly detail: messages.ErrorDetail | undefined;
}> {
  try {
    await answer;
  } catch (caught) {
    const error = caught as ServiceError;
    const [bytes] = error.metadata?.get('strongroom-error-bin') ?? [];
    const detail = Buffer.isBuffer(bytes)
      ? (api.v1.ErrorDetail.toObject(api.v1.ErrorDetail.decode(bytes), {
          defaults: true,
        }) as messages.ErrorDetail)
      : undefined;
    return { error, detail };
  }
  throw new Error('The call was answered, though it should have failed');
}
