import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What a link does. `pass`: all goes through. `cut`: connections are reset and new ones refused.
 * `stall`: bytes are taken and held (a partition as TCP sees it: nobody is told). `delay`: every
 * chunk is held for that long.
 */
export type LinkState =
  | { readonly kind: 'pass' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'stall' }
  | { readonly kind: 'delay'; readonly ms: number };

const HELD_BYTES_MAX = 64 * 1024 * 1024;

/** One directed link of a network: whoever connects to `port` reaches `target` through it. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #state: LinkState = { kind: 'pass' };
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

  get state(): LinkState {
    return this.#state;
  }

  set(state: LinkState): void {
    this.#state = state;
    for (const pair of this.#pairs) {
      if (state.kind === 'cut') pair.reset();
      else pair.flush(state);
    }
  }

  #accept(socket: Socket, targetPort: number): void {
    if (this.#state.kind === 'cut') {
      socket.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, '127.0.0.1');
    const pair = new Pair(socket, far, () => this.#state);
    for (const one of [socket, far]) one.on('data', (chunk) => this.onBytes?.(chunk));
    this.#pairs.add(pair);
    pair.closed.then(
      () => this.#pairs.delete(pair),
      () => this.#pairs.delete(pair),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) pair.reset();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

/** The two halves of one proxied connection, with what is held between them. */
class Pair {
  readonly closed: Promise<void>;
  readonly #sockets: readonly [Socket, Socket];
  readonly #held: { readonly to: Socket; readonly chunk: Buffer | 'end' }[] = [];
  #heldBytes = 0;

  constructor(near: Socket, far: Socket, state: () => LinkState) {
    this.#sockets = [near, far];
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.on('data', (chunk) => this.#carry(to, chunk, state()));
      from.on('end', () => this.#carry(to, 'end', state()));
      from.on('error', () => this.reset());
    }
    this.closed = new Promise((resolve) => {
      let open = 2;
      for (const socket of this.#sockets) {
        socket.once('close', () => {
          if (--open === 0) resolve();
          else this.reset();
        });
      }
    });
  }

  #carry(to: Socket, chunk: Buffer | 'end', state: LinkState): void {
    switch (state.kind) {
      case 'pass':
        pass(to, chunk);
        return;
      case 'delay':
        setTimeout(() => pass(to, chunk), state.ms).unref();
        return;
      case 'stall':
        this.#heldBytes += chunk === 'end' ? 0 : chunk.length;
        // A peer that writes on for ever into a dead link would fill this process.
        if (this.#heldBytes > HELD_BYTES_MAX) this.reset();
        else this.#held.push({ to, chunk });
        return;
      case 'cut':
        this.reset();
        return;
    }
  }

  /** Lets go of what a stall held back, in order. */
  flush(state: LinkState): void {
    if (state.kind === 'stall') return;
    for (const { to, chunk } of this.#held.splice(0)) this.#carry(to, chunk, state);
    this.#heldBytes = 0;
  }

  reset(): void {
    for (const socket of this.#sockets) {
      if (!socket.destroyed) socket.resetAndDestroy();
    }
  }
}

function pass(to: Socket, chunk: Buffer | 'end'): void {
  if (to.destroyed || !to.writable) return;
  if (chunk === 'end') to.end();
  else to.write(chunk);
}
