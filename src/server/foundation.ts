import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { type Clock, deferred, type Random, StrongroomError } from '../lib/index.ts';
import { openStore, type Store } from '../store/index.ts';
import type { Logger, PromMetrics } from '../telemetry/index.ts';
import type { NodeTls } from './certificates/index.ts';
import type { Closers } from './closers.ts';
import type { Identity } from './cluster/identity.ts';
import { Members } from './cluster/members.ts';
import { SystemRecords } from './cluster/system-records.ts';
import type { NodeConfig } from './config/index.ts';
import type { Participation } from './participation/participation.ts';
import { startReplica } from './participation/replica.ts';
import { startVoter } from './participation/voter.ts';
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
}

/** What a node stands on: its state, its place in the cluster, its way to the other nodes. */
export interface Foundation extends Platform {
  readonly store: Store;
  readonly records: SystemRecords;
  readonly members: Members;
  readonly participation: Participation;
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

export async function openFoundation(platform: Platform, closers: Closers): Promise<Foundation> {
  const { config, identity, clock, log, metrics } = platform;
  const failed = deferred<{ readonly because: unknown }>();
  const directory = join(config.dataDir, 'state');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const store = closers.keep(
    'store',
    await openStore({
      directory,
      clock,
      log: log.child({ part: 'store' }),
      metrics,
      onFailed: (because) => failed.resolve({ because }),
    }),
  );
  const peers = openPeerPort(platform, closers);
  const late: { participation?: Participation } = {};
  const records = new SystemRecords(store, (transaction, signal) => {
    if (late.participation !== undefined) return late.participation.commit(transaction, signal);
    throw new StrongroomError('raft.stopped', 'Cannot write yet: the node is starting');
  });
  const members = closers.keep(
    'members',
    new Members(records, identity.contacts, config.peer.routes),
  );
  await members.reload();
  const start = identity.kind === 'replica' ? startReplica : startVoter;
  const participation = await start({
    ...platform,
    store,
    peerServer: peers.server,
    credentials: () => peerChannelCredentials(peers.tls()),
    addressOf: (node) => members.peerAddressOf(node),
    members,
  });
  late.participation = participation;
  closers.keep('participation', participation);
  return {
    ...platform,
    store,
    records,
    members,
    participation,
    peers,
    stopped: Promise.race([failed.promise, participation.stopped]),
  };
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
  closers.add('peer server', () => server.forceShutdown());
  return {
    server,
    tls: () => tls,
    renewed(fresh) {
      tls = fresh;
      credentials.replace(fresh);
    },
    listen: () => bind(server, platform.config.peer.listen, credentials),
  };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error) => {
      if (error === null) resolve();
      else
        reject(
          new StrongroomError(
            'node.address-unavailable',
            `Cannot listen for other nodes on ${address}: ${error.message}; choose a free address of this machine`,
            { cause: error },
          ),
        );
    });
  });
}
