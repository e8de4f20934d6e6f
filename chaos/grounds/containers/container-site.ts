import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StartedTestContainer } from 'testcontainers';
import type { Launch, Launched } from '../processes/launch.ts';
import type { Site } from '../processes/site.ts';
import { Cable, type CableParts, type CableWishes } from './cable.ts';
import type { Containers } from './containers.ts';
import type { PlannedHost } from './network-plan.ts';

const project = fileURLToPath(new URL('../../../', import.meta.url));
/** What of this build a node runs. */
const program = ['dist', 'node_modules', 'package.json', 'proto'] as const;
const nodeBinary = '/usr/local/bin/node';
/** Nobody listens on the last. */
const ports = { api: 8200, peer: 8201, metrics: 8202, probe: 9 } as const;
const KILLED_MIN = 128;

/** Nodes in containers: each has a cable of its own, on the network of its region. */
export class ContainerSite implements Site {
  readonly cables = new Map<string, Cable>();
  /** Shell commands that go on in the network of a host, beside its program. */
  beside: (host: PlannedHost) => string = () => '';
  #parts: CableParts | undefined;
  #launches = 0;

  /** Called once, when the folder of the run is there, and before anything else. */
  open(parts: CableParts): void {
    this.#parts = parts;
  }

  async prepare(nodes: readonly PlannedHost[]): Promise<void> {
    await Promise.all(nodes.map((host) => this.lay({ host, beside: this.beside(host) })));
    await this.#checkWays();
  }

  /**
   * From each network to each other, so that a firewall of this machine is named by what it does.
   * @throws Error when a way leads nowhere.
   */
  async #checkWays(): Promise<void> {
    const cables = [...this.cables.values()];
    const first = cables.filter(
      ({ host }, at) => cables.findIndex((one) => one.host.region === host.region) === at,
    );
    const { containers } = this.parts;
    const pairs = first.flatMap((from) =>
      first.filter((to) => to !== from).map((to) => ({ from, to })),
    );
    await Promise.all(
      pairs.map(async ({ from, to }) => {
        const ask = `socat -u /dev/null TCP:${to.host.address}:${ports.probe},connect-timeout=3 2>&1 || true`;
        const said = await containers.run(from.container, ask);
        // Nobody listens there: whoever refuses has been reached.
        if (said.includes('refused')) return;
        throw new Error(
          `${from.host.name} does not reach ${to.host.name} through the router: does this machine's firewall keep bridges apart?`,
        );
      }),
    );
  }

  /** Gives a host its network. */
  async lay(wishes: CableWishes): Promise<Cable> {
    const cable = await Cable.lay(this.parts, wishes);
    this.cables.set(wishes.host.name, cable);
    return cable;
  }

  get parts(): CableParts {
    if (this.#parts === undefined) throw new Error('The site is not open');
    return this.#parts;
  }

  addressesOf(name: string) {
    const { address } = this.cable(name).host;
    const at = (port: number) => ({ listen: `${address}:${port}` });
    return { api: at(ports.api), peer: at(ports.peer), metrics: at(ports.metrics) };
  }

  launch(name: string): Launch {
    return async ({ args, environment, logFile }) => {
      const { containers, folder } = this.parts;
      const command = ['sh', '-c', 'exec "$@" >>"$0" 2>&1', logFile, nodeBinary, ...args];
      const container = await containers.start({
        name: `${name}-${++this.#launches}`,
        network: this.cable(name).container,
        command,
        environment,
        sees: [{ path: folder, mode: 'rw' }, ...seenOfProgram()],
      });
      return new LaunchedContainer(containers, container);
    };
  }

  cable(name: string): Cable {
    const cable = this.cables.get(name);
    if (cable === undefined) throw new Error(`${name} has no cable`);
    return cable;
  }
}

/** At the same paths as here, and what is a link here is a folder there. */
function seenOfProgram() {
  return program.map((name) => {
    const path = join(project, name);
    return { path, source: realpathSync(path), mode: 'ro' as const };
  });
}

class LaunchedContainer implements Launched {
  readonly pid = undefined;
  readonly ended: Promise<number | null>;
  readonly #containers: Containers;
  readonly #container: StartedTestContainer;
  #isRunning = true;

  constructor(containers: Containers, container: StartedTestContainer) {
    this.#containers = containers;
    this.#container = container;
    this.ended = this.#untilEnded();
  }

  get running(): boolean {
    return this.#isRunning;
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (this.#isRunning) await this.#containers.signal(this.#container, name);
  }

  async #untilEnded(): Promise<number | null> {
    const status = await this.#containers.ended(this.#container).catch(() => KILLED_MIN);
    this.#isRunning = false;
    // Nobody waits for it: a name is never used again.
    void this.#containers.remove(this.#container);
    return status >= KILLED_MIN ? null : status;
  }
}
