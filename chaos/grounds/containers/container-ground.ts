import { randomBytes } from 'node:crypto';
import { StrongroomError } from '../../../src/lib/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape, PlannedNode } from '../../scenario/scenario.ts';
import type { Capability } from '../capabilities.ts';
import type { Cluster, Ground, StartOptions } from '../ground.ts';
import { Apparatus, missingAnywhere } from '../processes/apparatus.ts';
import { groundLayer, linksBetweenRegions } from '../processes/cluster-network.ts';
import { LocalCluster } from '../processes/local-cluster.ts';
import { ProcessCluster } from '../processes/process-cluster.ts';
import { configOf, membersOf, processCapabilities } from '../processes/process-ground.ts';
import { CabledHsm } from './cabled-hsm.ts';
import { CabledNetwork } from './cabled-network.ts';
import { ContainerSite } from './container-site.ts';
import { Containers } from './containers.ts';
import { buildEmulator } from './emulator.ts';
import { type Engine, missingForEngine, openEngine } from './engine.ts';
import { ensureImage } from './image.ts';
import { Router } from './router.ts';

/** All that local processes can (so no power is cut), and what needs real packets. */
export const containerCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  ...processCapabilities,
  'network.duplicate',
  'network.reorder',
]);

/** Containers of a real engine: a network for each region, a router between them, an HSM. */
export const containerGround: Ground = {
  name: 'containers',
  capabilities: containerCapabilities,
  unavailable: async (shape, needs) => missingAnywhere(shape, needs) ?? (await missingForEngine()),
  async start(shape, options): Promise<Cluster> {
    try {
      return await startCluster(shape, options);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StrongroomError('cluster.start-failed', `Cannot start the cluster: ${why}`, {
        cause,
      });
    }
  },
};

const quiet = () => undefined;

async function startCluster(shape: ClusterShape, options: StartOptions): Promise<Cluster> {
  const { healPlan, seed, needs, signal, say = quiet } = options;
  const run = randomBytes(4).toString('hex');
  const engine = await openEngine(say, (ours) => planEnd(healPlan, ours));
  try {
    const containers = new Containers(engine, await ensureImage(engine, say, signal), run);
    const site = new ContainerSite();
    const network = new CabledNetwork(site.cables);
    const apparatus = new Apparatus(needs, healPlan, (token) =>
      CabledHsm.serve(token, site, network),
    );
    const local = await LocalCluster.start({
      ...membersOf(shape),
      ...configOf(needs),
      site,
      equip: (node) => apparatus.equip(node),
      created: async (folder) => {
        planRemoval(healPlan, engine, folder, run);
        site.open({
          containers,
          router: new Router(containers),
          folder,
          emulator: buildEmulator(folder),
          seed,
        });
        await apparatus.prepare(folder, shape.seal);
      },
      ended: async () => {
        await containers[Symbol.asyncDispose]();
        healPlan.remove(containersStep);
        await apparatus[Symbol.asyncDispose]();
      },
    });
    const parts = { local, network, apparatus, healPlan, engine, site };
    await network.lay(groundLayer, linksBetweenRegions(shape)).catch(async (error: unknown) => {
      await local[Symbol.asyncDispose]();
      throw error;
    });
    return new ContainerCluster(shape.nodes, parts);
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
}

type ContainerParts = ConstructorParameters<typeof ProcessCluster>[1] & {
  readonly engine: Engine;
  readonly site: ContainerSite;
};

/** Its nodes' files are on this machine, so it is a cluster of processes that live elsewhere. */
class ContainerCluster extends ProcessCluster {
  readonly #parts: ContainerParts;

  constructor(nodes: readonly PlannedNode[], parts: ContainerParts) {
    super(nodes, parts);
    this.#parts = parts;
  }

  broken(): string | undefined {
    const ended = [...this.#parts.site.cables.values()].find((cable) => cable.hasEnded);
    return ended === undefined ? undefined : `the network of ${ended.host.name} has ended`;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#parts.engine[Symbol.asyncDispose]();
    this.#parts.healPlan.remove(engineStep);
  }
}

const engineStep = 'engine';
const containersStep = 'containers';

function planEnd(healPlan: HealPlan, ours: { socket: string; pidFile: string }): void {
  const { socket, pidFile } = ours;
  const what = 'end the container engine that was started for it';
  healPlan.add({ id: engineStep, what, kind: 'end-engine', socket, pidFile });
}

/** Undone from the last to the first: containers, then their folder, then the engine. */
function planRemoval(healPlan: HealPlan, { socket }: Engine, folder: string, run: string): void {
  healPlan.add({ id: 'folder', what: `remove ${folder}`, kind: 'remove-folder', folder });
  const what = `remove the containers and networks of run ${run}`;
  healPlan.add({ id: containersStep, what, kind: 'remove-containers', socket, run });
}
