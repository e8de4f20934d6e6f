import type { StartedTestContainer } from 'testcontainers';
import type { Containers } from './containers.ts';

/** What stands between the networks of a run, and is on each of them. */
export class Router {
  readonly #containers: Containers;
  readonly #joined = new Map<string, Promise<string>>();
  #container: Promise<StartedTestContainer> | undefined;

  constructor(containers: Containers) {
    this.#containers = containers;
  }

  /** Joins a network. @returns its own address there: the way to all others. */
  join(network: string): Promise<string> {
    const known = this.#joined.get(network) ?? this.#join(network);
    this.#joined.set(network, known);
    return known;
  }

  async #join(network: string): Promise<string> {
    if (this.#container === undefined) this.#container = this.#start(network);
    else await this.#containers.plugIn(await this.#container, network);
    return this.#containers.addressOf(await this.#container, network);
  }

  async #start(network: string): Promise<StartedTestContainer> {
    const container = await this.#containers.start({
      name: 'router',
      network,
      // Nothing of a run has to do with the world outside.
      command: ['sh', '-ec', 'ip route del default || true; exec sleep infinity'],
      sees: [],
      mayShape: true,
    });
    const forwards = await this.#containers.run(container, 'cat /proc/sys/net/ipv4/ip_forward');
    // New network namespaces take it from the machine's own, where the engine has set it.
    if (forwards.trim() !== '1')
      throw new Error('the router does not forward: set net.ipv4.ip_forward to 1 on this machine');
    return container;
  }
}
