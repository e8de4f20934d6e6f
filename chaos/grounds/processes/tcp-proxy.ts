import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Random, SeededRandom } from '../../../src/lib/index.ts';
import type { LinkState } from './link-state.ts';
import { Lane } from './proxy-lane.ts';

/** `forth`: from whoever connects to the target. `back`: its answers. */
export type Way = 'forth' | 'back';

/** A port of loopback, or a socket in the file system. */
export type Endpoint = { readonly port: number } | { readonly path: string };

/** One link of a network: whoever connects to `port` reaches `target` through it. */
export class TcpProxy implements AsyncDisposable {
  /** Zero when it listens in the file system. */
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #states: Record<Way, LinkState> = { forth: { kind: 'pass' }, back: { kind: 'pass' } };
  readonly #random: Random;
  /** Sees every chunk that arrives, in either direction: a wire-tap. */
  onBytes: ((chunk: Uint8Array) => void) | undefined;

  private constructor(server: Server, port: number, random: Random) {
    this.#server = server;
    this.port = port;
    this.#random = random;
  }

  /**
   * Listens on a port of loopback, any free one when 0, or on a socket of that path.
   * @param random what is lost and how much later the rest comes is drawn from it.
   */
  static async listen(
    target: Endpoint,
    at: number | string = 0,
    random: Random = new SeededRandom(1),
  ): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (typeof at === 'string') server.listen(at, resolve);
      else server.listen(at, '127.0.0.1', resolve);
    });
    const address = server.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    const proxy = new TcpProxy(server, port, random);
    server.on('connection', (socket) => proxy.#accept(socket, target));
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

  /** Ends the connections that there are; new ones are welcome. @returns how many there were. */
  resetConnections(): number {
    const count = this.#pairs.size;
    for (const pair of this.#pairs) pair.reset();
    return count;
  }

  #accept(socket: Socket, target: Endpoint): void {
    if (Object.values(this.#states).some((state) => state.kind === 'cut')) {
      reset(socket);
      return;
    }
    const far = connect({ ...onLoopback(target), allowHalfOpen: true });
    // Of its own, so that what one connection draws does not depend on how others are timed.
    const random = new SeededRandom(this.#random.below(2 ** 32));
    const pair = new Pair(socket, far, this.#states, random);
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

  constructor(near: Socket, far: Socket, states: Readonly<Record<Way, LinkState>>, random: Random) {
    this.#sockets = [near, far];
    const reset = () => this.reset();
    const chance = () => new SeededRandom(random.below(2 ** 32));
    this.lanes = {
      forth: new Lane(near, far, () => states.forth, reset, chance()),
      back: new Lane(far, near, () => states.back, reset, chance()),
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
    for (const socket of this.#sockets) reset(socket);
  }
}

function onLoopback(target: Endpoint) {
  return 'port' in target ? { port: target.port, host: '127.0.0.1' } : { path: target.path };
}

function reset(socket: Socket): void {
  if (socket.destroyed) return;
  // A socket whose end is on its way cannot be reset: libuv refuses, Node leaks the handle and
  // spins on it for ever when the process ends. One of the file system knows no reset.
  if (socket.writableEnded || socket.remotePort === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
