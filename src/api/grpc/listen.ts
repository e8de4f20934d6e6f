import type { Server, ServerCredentials } from '@grpc/grpc-js';
import { TcpPort } from '../../lib/index.ts';
import { widenReceiveWindow } from './receive-window.ts';

/** 25 MB a second from a sender that is 160 ms away, there and back. */
const RECEIVE_WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Has a gRPC server take what comes in by a port. Dispose of the port after the server is shut down:
 * gRPC knows nothing of a connection that is still in its TLS handshake.
 *
 * @param purpose goes into the error: what is listened for.
 * @throws StrongroomError `node.address-unavailable`
 */
export function listenWith(
  server: Server,
  credentials: ServerCredentials,
  address: string,
  purpose: string,
): Promise<TcpPort> {
  widenReceiveWindow(server, RECEIVE_WINDOW_BYTES);
  const injector = server.createConnectionInjector(credentials);
  return TcpPort.open(address, purpose, (socket) => injector.injectConnection(socket));
}
