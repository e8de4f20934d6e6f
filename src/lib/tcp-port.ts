import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { StrongroomError } from './errors/strongroom-error.ts';

/** `host:port`, an IPv6 host in brackets. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(colon + 1)) };
}

/**
 * A port that is listened on, and every connection that came in by it. A server for HTTP/2 knows a
 * connection only after its TLS handshake: one that is shut down during the handshake would keep it,
 * and answer on it for as long as the process lives, beside whatever serves the port by then.
 */
export class TcpPort implements Disposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** `host:port`, with the port that was bound. */
  readonly address: string;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  /**
   * @param address such as "0.0.0.0:8200" or "[::]:8200"; port 0 takes any.
   * @param purpose goes into the error: what is listened for.
   * @throws StrongroomError `node.address-unavailable`
   */
  static async open(
    address: string,
    purpose: string,
    take: (socket: Socket) => void,
  ): Promise<TcpPort> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      // Later ones are of a connection that could not be taken, for want of descriptors: its loss only.
      server.on('error', (error) => reject(addressUnavailable(address, purpose, error)));
      server.listen(splitAddress(address), resolve);
    });
    const host = address.slice(0, address.lastIndexOf(':'));
    const port = new TcpPort(server, `${host}:${(server.address() as AddressInfo).port}`);
    server.on('connection', (socket) => {
      port.#sockets.add(socket);
      socket.once('close', () => port.#sockets.delete(socket));
      take(socket);
    });
    return port;
  }

  /** What is connected stays so. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Nothing is listened on any more, and nothing is connected. */
  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** What a failed attempt to listen on `address` is told as. */
export function addressUnavailable(
  address: string,
  purpose: string,
  cause: Error,
): StrongroomError {
  return new StrongroomError(
    'node.address-unavailable',
    `Cannot listen for ${purpose} on ${address}: ${cause.message}; choose a free address of this machine`,
    { cause },
  );
}
