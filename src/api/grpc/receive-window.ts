import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server, ServerCredentials } from '@grpc/grpc-js';

/** What a gRPC server makes for a port; not of its published face. */
interface Makes {
  createHttp2Server?: (credentials: ServerCredentials) => Http2Server;
}

/**
 * Lets so many bytes be on their way to each connection of a server, and to each stream on it (RFC 9113
 * 5.2). The usual 64 KiB are 400 KB a second from a client that is 160 ms away. gRPC's servers have no
 * option for it (its clients do), so the sessions are met where they are made. To be called before the
 * server listens. A release that makes them elsewhere is left as it is, and a test says so.
 */
export function widenReceiveWindow(server: Server, bytes: number): void {
  // Done already, for another of its ports.
  if (Object.hasOwn(server, 'createHttp2Server')) return;
  const makes = server as unknown as Makes;
  const make = makes.createHttp2Server?.bind(server);
  if (make === undefined) return;
  makes.createHttp2Server = (credentials) => {
    const http2 = make(credentials);
    http2.on('session', (session: ServerHttp2Session) => {
      session.settings({ initialWindowSize: bytes });
      session.setLocalWindowSize(bytes);
    });
    return http2;
  };
}
