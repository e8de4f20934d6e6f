import { join } from 'node:path';
import type { TokenAddress } from '../../../src/hsm/index.ts';
import type { HsmLinkChange, LinkChange } from '../levers.ts';
import type { HsmWays } from '../processes/hsm-ways.ts';
import type { ClusterToken } from '../processes/seal-slots.ts';
import type { CabledNetwork } from './cabled-network.ts';
import type { ContainerSite } from './container-site.ts';

/** Its name among the hosts: no node of a scenario can be called so. */
const hsmHost = 'hsm';
const PORT = 2345;
const server = '/usr/libexec/p11-kit/p11-kit-server';
const clientModules = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
  (machine) => `/usr/lib/${machine}/pkcs11/p11-kit-client.so`,
);
const clientModule = clientModules[process.arch === 'arm64' ? 1 : 0] ?? '';

/**
 * The HSM as a host of its own, in no region: a container that serves a token
 * with p11-kit. What p11-kit says goes over a socket of the file system, so at both ends `socat`
 * carries it to TCP and back.
 */
export class CabledHsm implements HsmWays {
  readonly nodes: string[] = [];
  readonly #label: string;
  readonly #site: ContainerSite;
  readonly #network: CabledNetwork;

  private constructor(label: string, site: ContainerSite, network: CabledNetwork) {
    this.#label = label;
    this.#site = site;
    this.#network = network;
  }

  /** From then on each host that the site is given has a way to it. */
  static async serve(
    token: ClusterToken,
    site: ContainerSite,
    network: CabledNetwork,
  ): Promise<CabledHsm> {
    const { module, label, environment } = token.address;
    const { host } = await site.lay({
      host: { name: hsmHost, region: undefined },
      beside: serving(module, label),
      environment: { ...environment, XDG_RUNTIME_DIR: '/tmp' },
    });
    const there = `TCP:${host.address}:${PORT},connect-timeout=2,nodelay`;
    site.beside = ({ name }) => {
      const here = `UNIX-LISTEN:${socketOf(site.parts.folder, name)},fork,unlink-early,mode=600`;
      return forEver(`socat ${here} ${there}`);
    };
    return new CabledHsm(label, site, network);
  }

  open(node: string): Promise<TokenAddress> {
    this.nodes.push(node);
    const environment = {
      P11_KIT_SERVER_ADDRESS: `unix:path=${socketOf(this.#site.parts.folder, node)}`,
    };
    return Promise.resolve({ module: clientModule, label: this.#label, environment });
  }

  lay(layer: string, nodes: readonly string[], change: HsmLinkChange): Promise<void> {
    const changes = nodes.flatMap((node): LinkChange[] => [
      { from: node, to: hsmHost, shape: change },
      { from: hsmHost, to: node, shape: change },
    ]);
    return this.#network.lay(`hsm ${layer}`, changes);
  }

  lift(layer: string): Promise<void> {
    return this.#network.lift(`hsm ${layer}`);
  }

  /** With all other faults of the network, whose layers these are. */
  liftAll(): Promise<void> {
    return this.#network.liftFaults();
  }

  async breakOff(nodes: readonly string[]): Promise<number> {
    const { containers } = this.#site.parts;
    const ended = await Promise.all(
      nodes.map(async (node) => {
        // One of them listens, the others carry a connection each; it is started again at once.
        const said = await containers.run(
          this.#site.cable(node).container,
          'pkill -c -x socat || true',
        );
        return Math.max(0, Number(said.trim()) - 1);
      }),
    );
    return ended.reduce((sum, count) => sum + count, 0);
  }

  /** Its container goes with all others. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

const socketOf = (folder: string, node: string) => join(folder, 'cables', node, 'hsm.sock');

/** Beside the cable, and again when it was ended. */
const forEver = (command: string) => `( while :; do ${command} 2>/dev/null || sleep 0.05; done ) &`;

function serving(module: string, label: string): string {
  const socket = '/tmp/p11-kit.sock';
  return [
    `${server} -f -p '${module}' -n ${socket} 'pkcs11:token=${label}' >/dev/null 2>&1 &`,
    `while [ ! -S ${socket} ]; do sleep 0.05; done`,
    forEver(`socat TCP-LISTEN:${PORT},fork,reuseaddr,nodelay UNIX-CONNECT:${socket}`),
  ].join('\n');
}
