import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenAddress } from '../../../src/hsm/index.ts';
import { eventually } from './eventually.ts';
import { TcpProxy } from './tcp-proxy.ts';

const clients = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.'].map(
  (folder) => `/usr/lib/${folder}/pkcs11/p11-kit-client.so`,
);
const servers = ['/usr/libexec/p11-kit/p11-kit-server', '/usr/lib/p11-kit/p11-kit-server'];
const client = clients.find((path) => existsSync(path));
const server = servers.find((path) => existsSync(path));
const START_MS = 10_000;

/** Why there can be no link to an HSM on this machine; undefined when there can. */
export const missingForHsmLink =
  client !== undefined && server !== undefined
    ? undefined
    : 'a link to an HSM needs p11-kit: apt-get install p11-kit p11-kit-modules';

/** A token that `p11-kit server` serves on a socket. */
export class HsmServer implements AsyncDisposable {
  readonly #token: TokenAddress;
  readonly #directory: string;
  readonly #socket: string;
  #process: ChildProcess | undefined;

  private constructor(token: TokenAddress, directory: string) {
    this.#token = token;
    this.#directory = directory;
    this.#socket = join(directory, 'p11-kit.sock');
  }

  /** @throws Error when it does not listen. */
  static async start(token: TokenAddress, directory: string): Promise<HsmServer> {
    const serving = new HsmServer(token, directory);
    await serving.#start();
    return serving;
  }

  /**
   * A way to it that can be cut. (Ending the server would cut nothing: it forks a child for each
   * connection, and those live on.)
   */
  async link(name: string): Promise<HsmLink> {
    const front = join(this.#directory, `${name}.sock`);
    const proxy = await TcpProxy.listen({ path: this.#socket }, front);
    const environment = { P11_KIT_SERVER_ADDRESS: `unix:path=${front}` };
    return new HsmLink({ module: client ?? '', label: this.#token.label, environment }, proxy);
  }

  async #start(): Promise<void> {
    const { module, label, environment } = this.#token;
    const args = ['-f', '-p', module, '-n', this.#socket, `pkcs11:token=${label}`];
    const child = spawn(server ?? '', args, {
      env: { ...process.env, ...environment, XDG_RUNTIME_DIR: this.#directory },
      stdio: 'ignore',
    });
    this.#process = child;
    const isServing = () => {
      if (child.exitCode !== null) throw new Error('p11-kit server ended');
      return Promise.resolve(existsSync(this.#socket));
    };
    await eventually(isServing, 'p11-kit server listens', START_MS);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#process?.kill('SIGKILL');
    return Promise.resolve();
  }
}

/** The way of one node to the HSM. */
export class HsmLink implements AsyncDisposable {
  readonly address: TokenAddress;
  readonly proxy: TcpProxy;

  constructor(address: TokenAddress, proxy: TcpProxy) {
    this.address = address;
    this.proxy = proxy;
  }

  /** Resets what there is, and refuses what comes. */
  cut(): void {
    this.proxy.set({ kind: 'cut' });
  }

  /** Takes bytes and passes none on: nobody is told. */
  stall(): void {
    this.proxy.set({ kind: 'stall' });
  }

  mend(): void {
    this.proxy.set({ kind: 'pass' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }
}
