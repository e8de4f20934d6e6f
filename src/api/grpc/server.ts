import {
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { type Clock, deferred, type Random, SystemRandom, type TcpPort } from '../../lib/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import type { Vault } from '../../vault/index.ts';
import { type AnyMethod, anyMethods } from '../../wire/index.ts';
import { type ApiBounds, defaultApiBounds } from './bounds.ts';
import { CallRunner } from './call-runner.ts';
import type { CallScope } from './call-scope.ts';
import { type HealthPort, HealthService } from './health.ts';
import { listenWith } from './listen.ts';
import { type Pipeline, pipelineHandler } from './pipeline.ts';
import { addReflection } from './reflection.ts';
import { endStreams } from './send-stream.ts';
import { restoreSnapshotHandler, type SnapshotPort, saveSnapshotHandler } from './snapshots.ts';
import { asBuffer, unaryHandler } from './unary.ts';
import { watchHandler } from './watch.ts';

export interface ApiServerOptions {
  readonly vault: Vault;
  readonly snapshots: SnapshotPort;
  readonly health: HealthPort;
  readonly credentials: ServerCredentials;
  readonly bounds?: Partial<ApiBounds>;
  readonly clock: Clock;
  readonly random?: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface ApiServer {
  readonly server: Server;
  /**
   * @param address such as "0.0.0.0:8200"; port 0 takes any.
   * @returns the address that is listened on, with its port.
   * @throws StrongroomError `node.address-unavailable`
   */
  listen(address: string): Promise<string>;
  /** Answers what is in flight, refuses what is new, and after `graceMs` cuts what is left. */
  stop(graceMs: number): Promise<void>;
}

interface OpenStreams {
  readonly scopes: Set<CallScope>;
  readonly pipelines: Set<Pipeline>;
}

/** The gRPC face of the vault. Nothing is listened on until `listen`. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const bounds = { ...defaultApiBounds, ...options.bounds };
  const { vault, clock, log, metrics, random = new SystemRandom() } = options;
  const runner = new CallRunner({ vault, bounds, clock, random, log, metrics });
  const open: OpenStreams = { scopes: new Set(), pipelines: new Set() };
  const server = new Server({
    'grpc.max_receive_message_length': bounds.messageBytesMax,
    'grpc.max_send_message_length': bounds.messageBytesMax,
    'grpc.max_concurrent_streams': bounds.connectionStreamsMax,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const services = addMethods(server, (method) =>
    handlerOf(method, runner, options.snapshots, open),
  );
  const health = new HealthService(options.health, services);
  health.addTo(server);
  addReflection(server, [...services, 'grpc.health.v1.Health']);
  const ports = new Set<TcpPort>();
  return {
    server,
    async listen(address) {
      const port = await listenWith(server, options.credentials, address, 'API calls');
      ports.add(port);
      return port.address;
    },
    async stop(graceMs) {
      runner.stop();
      health.stop();
      for (const port of ports) port.stopAccepting();
      endStreams(open.scopes);
      for (const pipeline of open.pipelines) pipeline.stop();
      const { promise: shut, resolve } = deferred<void>();
      const grace = clock.after(graceMs, () => {
        server.forceShutdown();
        // gRPC does not call back for a connection that is lost in this very moment.
        resolve();
      });
      server.tryShutdown(() => resolve());
      await shut;
      grace.cancel();
      for (const port of ports) port[Symbol.dispose]();
    },
  };
}

function handlerOf(
  method: AnyMethod,
  runner: CallRunner,
  snapshots: SnapshotPort,
  open: OpenStreams,
): UntypedHandleCall {
  switch (method.operation) {
    case 'pipeline.open':
      return pipelineHandler(runner, open.pipelines);
    case 'watch.watch':
      return watchHandler(runner, open.scopes);
    case 'cluster.saveSnapshot':
      return saveSnapshotHandler(runner, snapshots, open.scopes);
    case 'cluster.restoreSnapshot':
      return restoreSnapshotHandler(runner, snapshots, open.scopes);
    default:
      return unaryHandler(method, runner);
  }
}

/** Messages stay bytes for gRPC: reading them is ours, so that what is wrong with them is told. */
const bytes = {
  requestSerialize: asBuffer,
  requestDeserialize: (message: Buffer) => message,
  responseSerialize: asBuffer,
  responseDeserialize: (message: Buffer) => message,
};

/** @returns the full names of the services, such as "strongroom.v1.KvService". */
function addMethods(
  server: Server,
  handlerFor: (method: AnyMethod) => UntypedHandleCall,
): readonly string[] {
  const services = new Set<string>();
  for (const method of anyMethods.values()) {
    const [, service = '', name = ''] = method.path.split('/');
    const definition: ServiceDefinition = {
      [name]: {
        ...bytes,
        path: method.path,
        requestStream: method.kind === 'client-stream' || method.kind === 'duplex',
        responseStream: method.kind === 'server-stream' || method.kind === 'duplex',
      },
    };
    server.addService(definition, { [name]: handlerFor(method) });
    services.add(service);
  }
  return [...services];
}
