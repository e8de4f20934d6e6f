import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { NodeId, SelfIdentity } from '../../src/raft/index.ts';

export const clusterId = '0123456789abcdef0123456789abcdef';
export const insecure = credentials.createInsecure();

export function node(id: number): NodeId {
  return id as NodeId;
}

export function identity(id: number, incarnation = 1): SelfIdentity {
  return { clusterId, node: node(id), incarnation };
}

export interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly address: string;
}

/** A gRPC server on loopback with the given services; disposing it cuts its connections. */
export async function listen(
  services: readonly { register(server: Server): void }[],
  wantedPort = 0,
): Promise<Listening> {
  const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
  for (const service of services) service.register(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `127.0.0.1:${wantedPort}`,
      ServerCredentials.createInsecure(),
      (error, bound) => (error === null ? resolve(bound) : reject(error)),
    );
  });
  return {
    port,
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}
