import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { loadSodium } from '../barrier/index.ts';
import { type Cancellation, SystemRandom, systemClock } from '../lib/index.ts';
import type { NodeId, RaftNode } from '../raft/index.ts';
import type { KeptRoot } from '../seal/index.ts';
import type { ClosableLogger, Logger, PromMetrics } from '../telemetry/index.ts';
import { writeAtomically } from './certificates/index.ts';
import { Closers } from './closers.ts';
import type { NodeConfig } from './config/index.ts';
import { disableCoreDumps } from './core-dumps.ts';
import { startDuties } from './duties.ts';
import { bestOf } from './fitness/fitness.ts';
import { openFoundation } from './foundation.ts';
import type { AskPin } from './keys/slots.ts';
import { startMetricsServer } from './metrics-server.ts';
import { shareHostNames } from './names/resolver.ts';
import { openIdentity } from './open-identity.ts';
import { openService, type Service } from './service.ts';

const HAND_OVER_MS = 5_000;
/** Who would lead well is asked for so long; Raft chooses among those that do not say. */
const ASK_MS = 300;

/** A node that serves. */
export interface RunningNode {
  readonly node: number;
  /** Resolves when it ended by itself: disk failure, removal, divergence, broken invariant. */
  readonly stopped: Promise<{ readonly because: unknown }>;
  /**
   * Hands leadership over if it has it, lets requests end, closes everything. A node that is out of
   * service stops answering first.
   *
   * @param next `begin-again` when a node follows in this process: the root key is kept for it.
   */
  stop(next?: 'begin-again'): Promise<void>;
}

/**
 * Starts one node as its configuration says: founds a cluster, joins one, or goes on from its data
 * directory. Resolves when it serves, sealed or not; `ready.json` in the data directory says so to
 * whoever waits outside.
 *
 * @throws StrongroomError what keeps it from starting, with nothing left open.
 */
export async function startNode(
  config: NodeConfig,
  options: {
    readonly log: Logger | ClosableLogger;
    readonly metrics: PromMetrics;
    readonly signal: Cancellation;
    readonly kept: KeptRoot;
    /** For seal slots whose PIN is typed (`pinPrompt`). */
    readonly askPin: AskPin;
  },
): Promise<RunningNode> {
  const closers = new Closers(options.log);
  try {
    return await start(config, options, closers);
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

async function start(
  config: NodeConfig,
  options: Parameters<typeof startNode>[1],
  closers: Closers,
): Promise<RunningNode> {
  const { log, metrics, signal, kept, askPin } = options;
  const platform = {
    clock: systemClock,
    random: new SystemRandom(),
    log,
    metrics,
    version: versionOfProgram(),
    kept,
    askPin,
  };
  await disableCoreDumps(log);
  shareHostNames();
  await loadSodium();
  const state: NodeState = { ready: false, failed: false, service: undefined };
  const addresses = {
    api: config.api.advertise ?? config.api.listen,
    peer: config.peer.advertise ?? config.peer.listen,
    metrics: config.metrics?.advertise ?? config.metrics?.listen ?? '',
  };
  if (config.metrics !== undefined) {
    // First of all: a node that waits to join or to unseal is watched too.
    const server = await startMetricsServer({
      listen: config.metrics.listen,
      text: () => metrics.text(),
      contentType: metrics.contentType,
      ready: () => state.ready,
      healthy: () => state.ready && (state.service?.healthy() ?? false),
    });
    closers.keep('metrics', server);
  }
  const { identity, tls } = await openIdentity(config, addresses, { ...platform, signal });
  const named = { ...platform, log: log.child({ node: identity.node }) };
  const foundation = await openFoundation({ config, identity, tls, ...named }, closers, signal);
  const service = await openService(foundation, closers);
  const duties = await startDuties(foundation, service, addresses);
  closers.keep('duties', duties);
  state.service = service;
  state.ready = true;
  void foundation.stopped.then(() => {
    state.ready = false;
    state.failed = true;
  });

  const readyFile = join(config.dataDir, 'ready.json');
  await writeAtomically(
    readyFile,
    `${JSON.stringify({
      node: identity.node,
      name: identity.name,
      clusterId: identity.clusterId,
      apiAddress: addresses.api,
      peerAddress: addresses.peer,
      metricsAddress: addresses.metrics,
      pid: process.pid,
    })}\n`,
    0o644,
  );
  named.log.info({ api: addresses.api, peer: addresses.peer }, 'Serving');
  return {
    node: identity.node,
    stopped: foundation.stopped,
    async stop(next) {
      state.ready = false;
      if (next === 'begin-again') service.seal.keepRoot();
      await rm(readyFile, { force: true });
      if (!state.failed) await handOver(foundation.participation.raft, service, named.log);
      await closers.closeAll();
    },
  };
}

interface NodeState {
  ready: boolean;
  failed: boolean;
  service: Pick<Service, 'healthy'> | undefined;
}

/** Before anything is closed, so that clients find the new leader at once. */
async function handOver(
  raft: RaftNode | undefined,
  service: Pick<Service, 'reports'>,
  log: Logger,
): Promise<void> {
  if (raft?.status().role !== 'leader') return;
  const limit = new Promise<void>((resolve) => systemClock.after(HAND_OVER_MS, resolve));
  try {
    const reports = await service.reports(AbortSignal.timeout(ASK_MS));
    const { node, membership } = raft.status();
    const next = bestOf(reports.values(), membership.voters, node)?.node as NodeId | undefined;
    await Promise.race([raft.transferLeadership(next), limit]);
  } catch (error) {
    // A cluster of one has nobody to hand over to.
    log.info({ error: String(error) }, 'Leadership was not handed over');
  }
}

function versionOfProgram(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as {
    readonly version: string;
  };
  return version;
}
