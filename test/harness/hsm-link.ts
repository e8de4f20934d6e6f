import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TokenAddress } from '../../src/hsm/index.ts';

const CLIENT = '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so';
const SERVER = '/usr/libexec/p11-kit/p11-kit-server';

/** A token across a link: `apt-get install p11-kit p11-kit-modules`. */
export const linkInstalled = existsSync(CLIENT) && existsSync(SERVER);
if (!linkInstalled)
  console.warn('p11-kit is not installed: tests of the link to an HSM are skipped');

/**
 * A token served by `p11-kit server`, reached through a socket of our own that can be cut and
 * stalled. (Ending the server would cut nothing: it forks a child for each connection.)
 */
export class HsmLink implements AsyncDisposable {
  readonly address: TokenAddress;
  readonly #server: ChildProcess;
  readonly #proxy: Server;
  readonly #sockets = new Set<Socket>();
  #refusing = false;
  #stalled = false;

  private constructor(address: TokenAddress, server: ChildProcess, proxy: Server) {
    this.address = address;
    this.#server = server;
    this.#proxy = proxy;
  }

  static async to(token: TokenAddress, directory: string): Promise<HsmLink> {
    const behind = join(directory, 'p11-kit.sock');
    const front = join(directory, 'link.sock');
    const args = ['-f', '-p', token.module, '-n', behind, `pkcs11:token=${token.label}`];
    const server = spawn(SERVER, args, {
      env: { ...process.env, ...token.environment, XDG_RUNTIME_DIR: directory },
      stdio: 'ignore',
    });
    while (!existsSync(behind)) {
      if (server.exitCode !== null) throw new Error('p11-kit server ended');
      await new Promise((resolve) => setImmediate(resolve));
    }
    const proxy = createServer();
    const environment = { P11_KIT_SERVER_ADDRESS: `unix:path=${front}` };
    const link = new HsmLink({ module: CLIENT, label: token.label, environment }, server, proxy);
    proxy.on('connection', (socket) => link.#accept(socket, behind));
    await new Promise<void>((resolve) => proxy.listen(front, resolve));
    return link;
  }

  /** Resets what there is, and refuses what comes. */
  cut(): void {
    this.#refusing = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Takes bytes and passes none on: nobody is told. */
  stall(): void {
    this.#stalled = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#refusing = false;
    this.#stalled = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.kill('SIGKILL');
    await new Promise<void>((resolve) => this.#proxy.close(() => resolve()));
  }

  #accept(socket: Socket, behind: string): void {
    if (this.#refusing) {
      socket.destroy();
      return;
    }
    const onward = connect(behind);
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#stalled) from.pause();
    }
  }
}
