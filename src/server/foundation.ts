import { Server } from '@grpc/grpc-js';
import { listenWith } from '../api/index.ts';
import {
  type Cancellation,
  type Clock,
  deferred,
  type Random,
  StrongroomError,
  type TcpPort,
} from '../lib/index.ts';
import type { NodeId } from '../raft/index.ts';
import type { KeptRoot } from '../seal/index.ts';
import type { Store } from '../store/index.ts';
import type { Logger, PromMetrics } from '../telemetry/index.ts';
import type { NodeTls } from './certificates/index.ts';
import type { Closers } from './closers.ts';
import { readContacts } from './cluster/contacts.ts';
import type { Identity } from './cluster/identity.ts';
import { Members } from './cluster/members.ts';
import { SystemRecords } from './cluster/system-records.ts';
import type { NodeConfig } from './config/index.ts';
import { catchUp, gapBeforeLog } from './integrity/catch-up.ts';
import { integrityMetrics } from './integrity/integrity-metrics.ts';
import { IntegrityWatch } from './integrity/integrity-watch.ts';
import { openState } from './integrity/open-state.ts';
import { openRebuildDesk } from './integrity/rebuild-desk.ts';
import { rebuildDone } from './integrity/rebuild-note.ts';
import type { AskPin } from './keys/slots.ts';
import type { Participation } from './participation/participation.ts';
import { startReplica } from './participation/replica.ts';
import { type ParticipationOptions, startVoter } from './participation/voter.ts';
import { PeerServerCredentials, peerChannelCredentials } from './peer-credentials.ts';

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

export interface Platform {
  readonly config: NodeConfig;
  readonly identity: Identity;
  readonly tls: NodeTls;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: PromMetrics;
  readonly version: string;
  readonly kept: KeptRoot;
  readonly askPin: AskPin;
}

/** What a node stands on: its state, its place in the cluster, its way to the other nodes. */
export interface Foundation extends Platform {
  readonly store: Store;
  readonly records: SystemRecords;
  readonly members: Members;
  readonly participation: Participation;
  readonly integrity: IntegrityWatch;
  readonly peers: PeerPort;
  readonly stopped: Promise<{ readonly because: unknown }>;
}

/** The port that other nodes call, and what this one shows when it calls them. */
export interface PeerPort {
  readonly server: Server;
  /** As of the last renewal. */
  readonly tls: () => NodeTls;
  renewed(tls: NodeTls): void;
  listen(): Promise<void>;
}

/** @param signal gives up the making of a state that was damaged. */
export async function openFoundation(
  platform: Platform,
  closers: Closers,
  signal: Cancellation,
): Promise<Foundation> {
  const { config, identity, clock, log, metrics } = platform;
  const failed = deferred<{ readonly because: unknown }>();
  const fail = (because: unknown) => failed.resolve({ because });
  const { dataDir } = config;
  const opened = await openState({ dataDir, clock, log, metrics, onFailed: fail });
  const { store } = opened;
  closers.keep('store', store);
  const peers = openPeerPort(platform, closers);
  const late: { participation?: Participation } = {};
  const records = new SystemRecords(store, (transaction, signal) => {
    if (late.participation !== undefined) return late.participation.commit(transaction, signal);
    throw new StrongroomError('raft.stopped', 'Cannot write yet: the node is starting');
  });
  const members = closers.keep(
    'members',
    new Members(records, (await readContacts(dataDir)) ?? identity.contacts, config.peer.routes),
  );
  await members.reload();
  const integrity = closers.keep(
    'integrity',
    new IntegrityWatch({
      store,
      records,
      node: identity.node,
      clock,
      log: log.child({ part: 'integrity' }),
      metrics,
      recordsPerSecondMax: config.integrity.verifyRecordsPerSecondMax,
      outOfService(because) {
        integrityMetrics(metrics).outOfService.set(1);
        log.error({ code: because.code, error: because.message }, 'Out of service');
        fail(because);
      },
    }),
  );
  const options = {
    ...platform,
    store,
    peerServer: peers.server,
    credentials: () => peerChannelCredentials(peers.tls()),
    addressOf: (node: number) => members.peerAddressOf(node),
    members,
  };
  const rebuilding =
    opened.rebuilding ??
    (identity.kind === 'voter' ? await gapBeforeLog(dataDir, store.revision) : undefined);
  if (rebuilding !== undefined) await rebuild(options, rebuilding, peers.tls(), signal);
  integrityMetrics(metrics).outOfService.set(0);
  const start = identity.kind === 'replica' ? startReplica : startVoter;
  const participation = await start(options);
  late.participation = participation;
  closers.keep('participation', participation);
  return {
    ...platform,
    store,
    records,
    members,
    participation,
    integrity,
    peers,
    stopped: Promise.race([failed.promise, participation.stopped]),
  };
}

/** A read replica needs no more than an empty state: it is fed as ever. */
async function rebuild(
  options: ParticipationOptions & Platform,
  because: string,
  tls: NodeTls,
  signal: Cancellation,
): Promise<void> {
  const { config, identity, members, store, log, version } = options;
  if (identity.kind === 'voter') {
    using _desk = await openRebuildDesk({
      self: { clusterId: identity.clusterId, node: identity.node as NodeId, incarnation: 1 },
      because,
      version,
      members,
      applied: () => store.revision,
      listen: (server) => listenForPeers(server, config, new PeerServerCredentials(tls)),
      log,
    });
    await catchUp(options, signal);
  }
  await rebuildDone(config.dataDir);
}

function openPeerPort(platform: Platform, closers: Closers): PeerPort {
  let tls = platform.tls;
  const credentials = new PeerServerCredentials(tls);
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': 5_000,
    'grpc.keepalive_timeout_ms': 5_000,
  });
  let port: TcpPort | undefined;
  // Opened last and closed late: who hands leadership over must still be answered.
  closers.add('peer server', () => {
    server.forceShutdown();
    port?.[Symbol.dispose]();
  });
  return {
    server,
    tls: () => tls,
    renewed(fresh) {
      tls = fresh;
      credentials.replace(fresh);
    },
    async listen() {
      port = await listenForPeers(server, platform.config, credentials);
    },
  };
}

function listenForPeers(
  server: Server,
  config: NodeConfig,
  credentials: PeerServerCredentials,
): Promise<TcpPort> {
  return listenWith(server, credentials, config.peer.listen, 'other nodes');
}
