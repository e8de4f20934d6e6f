import type { StartedTestContainer, WaitStrategy } from 'testcontainers';
import { removeRun, runLabel } from '../../heal/engine-leftovers.ts';
import type { Engine } from './engine.ts';
import { nameInEngine } from './network-plan.ts';

/** What one container is to be. */
export interface ContainerWishes {
  readonly name: string;
  /** A network of the run, or another container whose network it shares. */
  readonly network: string | StartedTestContainer;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Folders and files of this machine, each at the same path in the container. */
  readonly sees: readonly {
    readonly path: string;
    readonly source?: string;
    readonly mode: 'ro' | 'rw';
  }[];
  /** May change its network. Without it a container has no privilege at all. */
  readonly mayShape?: boolean;
}

/** The containers and networks of one run. All have its label, by which whatever is left is found. */
export class Containers implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #image: string;
  readonly #run: string;
  readonly #networks = new Map<string, Promise<void>>();

  constructor(engine: Engine, image: string, run: string) {
    this.#engine = engine;
    this.#image = image;
    this.#run = run;
  }

  /** @throws Error when the engine refuses; not when the program in it ends at once. */
  async start(wishes: ContainerWishes): Promise<StartedTestContainer> {
    const { GenericContainer } = await import('testcontainers');
    const { network, mayShape = false } = wishes;
    if (typeof network === 'string') await this.#network(network);
    const container = new GenericContainer(this.#image)
      .withName(nameInEngine(this.#run, wishes.name))
      .withLabels({ [runLabel]: this.#run })
      .withCommand([...wishes.command])
      .withEnvironment({ ...wishes.environment })
      .withBindMounts(
        wishes.sees.map(({ path, source = path, mode }) => ({ source, target: path, mode })),
      )
      .withDroppedCapabilities('ALL')
      .withAddedCapabilities(...(mayShape ? ['NET_ADMIN', 'NET_RAW', 'KILL'] : []))
      .withNetworkMode(
        typeof network === 'string'
          ? nameInEngine(this.#run, network)
          : `container:${network.getId()}`,
      )
      // Cleaned up by its label, and not by a helper whose image would come from a registry.
      .withAutoCleanup(false)
      .withPullPolicy({ shouldPull: () => false })
      .withWaitStrategy(nothingToWaitFor);
    return container.start();
  }

  /** Puts a running container on one more network of the run. */
  async plugIn(container: StartedTestContainer, network: string): Promise<void> {
    await this.#network(network);
    const { runtime } = this.#engine;
    await runtime.network
      .getById(nameInEngine(this.#run, network))
      .connect({ Container: container.getId() });
  }

  /** Its address on a network of the run. @throws Error when it is not on it. */
  async addressOf(container: StartedTestContainer, network: string): Promise<string> {
    const { runtime } = this.#engine;
    const { NetworkSettings } = await runtime.container.inspect(
      runtime.container.getById(container.getId()),
    );
    const address = NetworkSettings.Networks[nameInEngine(this.#run, network)]?.IPAddress;
    if (address === undefined || address === '')
      throw new Error(`${container.getName()} is not on ${network}`);
    return address;
  }

  /** Sends a signal to its first process; one that has ended is no error. */
  async signal(container: StartedTestContainer, name: NodeJS.Signals): Promise<void> {
    const { runtime } = this.#engine;
    await runtime.container
      .getById(container.getId())
      .kill({ signal: name })
      .catch((error: unknown) => {
        // 404: it was removed; 409: it is not running.
        const status = (error as { readonly statusCode?: number }).statusCode;
        if (status !== 404 && status !== 409) throw error;
      });
  }

  /** Resolves when it has ended, to its exit status. */
  async ended(container: StartedTestContainer): Promise<number> {
    const { runtime } = this.#engine;
    const answer = (await runtime.container.getById(container.getId()).wait()) as {
      readonly StatusCode: number;
    };
    return answer.StatusCode;
  }

  async remove(container: StartedTestContainer): Promise<void> {
    const { runtime } = this.#engine;
    await runtime.container
      .getById(container.getId())
      .remove({ force: true, v: true })
      .catch(() => undefined);
  }

  /** @throws Error with what it printed when it fails. */
  async run(container: StartedTestContainer, script: string): Promise<string> {
    const { exitCode, output } = await container.exec(['sh', '-ec', script]);
    if (exitCode !== 0) throw new Error(`${container.getName()}: ${script}: ${output.trim()}`);
    return output;
  }

  #network(network: string): Promise<void> {
    const known = this.#networks.get(network) ?? this.#create(network);
    this.#networks.set(network, known);
    return known;
  }

  async #create(network: string): Promise<void> {
    await this.#engine.runtime.network.create({
      Name: nameInEngine(this.#run, network),
      Driver: 'bridge',
      Options: { 'com.docker.network.bridge.enable_ip_masquerade': 'false' },
      Labels: { [runLabel]: this.#run },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeRun(this.#engine.socket, this.#run);
  }
}

/** When a container is of use, its maker sees by what it does. */
const nothingToWaitFor: WaitStrategy = {
  waitUntilReady: () => Promise.resolve(),
  withStartupTimeout: () => nothingToWaitFor,
  isStartupTimeoutSet: () => false,
  getStartupTimeout: () => 0,
};
