import { connect, createServer, type Server, type Socket } from 'node:net';
import type { LinkState } from './link-state.ts';
import { Lane } from './proxy-lane.ts';

/** `forth`: from whoever connects to the target. `back`: its answers. */
export type Way = 'forth' | 'back';

/** One link of a network: whoever connects to `port` reaches `target` through it. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #states: Record<Way, LinkState> = { forth: { kind: 'pass' }, back: { kind: 'pass' } };
  /** Sees every chunk that arrives, in either direction: a wire-tap. */
  onBytes: ((chunk: Uint8Array) => void) | undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Listens on loopback, on `port` or any free one. */
  static async listen(target: { readonly port: number }, port = 0): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy has no port');
    const proxy = new TcpProxy(server, address.port);
    server.on('connection', (socket) => proxy.#accept(socket, target.port));
    return proxy;
  }

  state(way: Way): LinkState {
    return this.#states[way];
  }

  /** Sets both directions, or one. */
  set(state: LinkState, way?: Way): void {
    for (const one of way === undefined ? (['forth', 'back'] as const) : [way]) {
      this.#states[one] = state;
      for (const pair of this.#pairs) {
        if (state.kind === 'cut') pair.reset();
        else pair.lanes[one].wake();
      }
    }
  }

  #accept(socket: Socket, targetPort: number): void {
    if (Object.values(this.#states).some((state) => state.kind === 'cut')) {
      socket.resetAndDestroy();
      return;
    }
    const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const pair = new Pair(socket, far, this.#states);
    for (const one of [socket, far]) one.on('data', (chunk) => this.onBytes?.(chunk));
    this.#pairs.add(pair);
    void pair.closed.then(() => this.#pairs.delete(pair));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) pair.reset();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

/** The two halves of one proxied connection. */
class Pair {
  readonly closed: Promise<void>;
  readonly lanes: Readonly<Record<Way, Lane>>;
  readonly #sockets: readonly [Socket, Socket];

  constructor(near: Socket, far: Socket, states: Readonly<Record<Way, LinkState>>) {
    this.#sockets = [near, far];
    const reset = () => this.reset();
    this.lanes = {
      forth: new Lane(near, far, () => states.forth, reset),
      back: new Lane(far, near, () => states.back, reset),
    };
    this.closed = new Promise((resolve) => {
      let open = 2;
      for (const socket of this.#sockets) {
        socket.setNoDelay(true);
        socket.on('error', reset);
        socket.once('close', () => {
          if (--open === 0) resolve();
          else reset();
        });
      }
    });
  }

  reset(): void {
    for (const lane of Object.values(this.lanes)) lane.close();
    for (const socket of this.#sockets) {
      if (socket.destroyed) continue;
      // A socket whose end is on its way cannot be reset: libuv refuses, Node leaks the handle and
      // spins on it for ever when the process ends.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}
