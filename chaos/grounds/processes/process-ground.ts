import { StrongroomError } from '../../../src/lib/index.ts';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape } from '../../scenario/scenario.ts';
import type { Capability } from '../capabilities.ts';
import type { Cluster, Ground, StartOptions } from '../ground.ts';
import { Apparatus, missingFor } from './apparatus.ts';
import { groundLayer, linksBetweenRegions } from './cluster-network.ts';
import { startElsewhere } from './elsewhere.ts';
import { LocalCluster, type LocalClusterOptions } from './local-cluster.ts';
import { ProcessCluster } from './process-cluster.ts';
import { ProxiedNetwork } from './proxied-network.ts';

export const processCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'process.kill',
  'process.pause',
  'process.stop',
  'process.build',
  'network.cut',
  'network.delay',
  'network.loss',
  'network.bandwidth',
  'network.corrupt',
  'clock.offset',
  'disk.full',
  'disk.sync',
  'disk.bytes',
  'hsm.link',
  'hsm.token',
  'log.short',
  'audit.sink',
  'membership.change',
  'membership.roles',
  'cluster.admin',
  'cluster.seal',
  'cluster.snapshot',
  'cluster.load',
]);

/** So little that a node which missed some seconds of `fill-log` is sent a snapshot. */
const SHORT_LOG_BYTES = 1024 * 1024;

/** Real processes of the built program on loopback, with a proxy of ours on every link. */
export const processGround = groundOf(undefined);

/** The same with nodes that run another build: its main module, such as `dist/cli/main.js`. */
export function groundOf(program: string | undefined): Ground {
  return {
    name: 'processes',
    capabilities: processCapabilities,
    unavailable: (shape, needs) => Promise.resolve(missingFor(shape, needs)),
    start: (shape, options) => startCluster(shape, options, program),
  };
}

async function startCluster(
  shape: ClusterShape,
  options: StartOptions,
  program: string | undefined,
): Promise<Cluster> {
  const { healPlan } = options;
  const apparatus = new Apparatus(options.needs, healPlan);
  try {
    const local = await LocalCluster.start({
      ...membersOf(shape),
      ...undoneAtTheEnd(healPlan, apparatus, shape),
      ...configOf(options.needs),
      proxied: true,
      seed: options.seed,
      program,
      equip: (node) => apparatus.equip(node),
    });
    const id = (name: string) => shape.nodes.findIndex((node) => node.name === name) + 1;
    const network = new ProxiedNetwork((from, to) => local.link(id(from), id(to)));
    await network.lay(groundLayer, linksBetweenRegions(shape));
    const elsewhere = () => startElsewhere(shape, local, apparatus, healPlan);
    return new ProcessCluster(shape.nodes, { local, network, apparatus, healPlan, elsewhere });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StrongroomError('cluster.start-failed', `Cannot start the cluster: ${why}`, {
      cause,
    });
  }
}

/** What the nodes' configuration has because of what the faults will ask for. */
export function configOf(needs: ReadonlySet<Capability>): Pick<LocalClusterOptions, 'config'> {
  return needs.has('log.short') ? { config: { raft: { logKeepBytes: SHORT_LOG_BYTES } } } : {};
}

export function membersOf(shape: ClusterShape) {
  const voters = shape.nodes.filter((node) => node.kind === 'voter');
  const replicas = shape.nodes.filter((node) => node.kind === 'replica');
  return {
    voters: voters.length,
    replicas: replicas.map((node) => node.region),
    voterRegions: voters.map((node) => node.region),
    names: shape.nodes.map((node) => node.name),
  };
}

function undoneAtTheEnd(
  healPlan: StartOptions['healPlan'],
  apparatus: Apparatus,
  shape: ClusterShape,
): Pick<LocalClusterOptions, 'created' | 'ended'> {
  return {
    created: async (folder) => {
      planRemoval(healPlan, folder);
      await apparatus.prepare(folder, shape.seal);
    },
    ended: () => apparatus[Symbol.asyncDispose](),
  };
}

function planRemoval(healPlan: HealPlan, folder: string): void {
  healPlan.add({ id: 'folder', what: `remove ${folder}`, kind: 'remove-folder', folder });
  healPlan.add({
    id: 'processes',
    what: `end the nodes that run from ${folder}`,
    kind: 'end-processes',
    folder,
  });
}
