import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelCredentials, Server } from '@grpc/grpc-js';
import type { Cancellation, Clock, Random } from '../../lib/index.ts';
import {
  GrpcTransport,
  type NodeId,
  nextIncarnation,
  nodeDisk,
  type RaftStatus,
  startRaftNode,
} from '../../raft/index.ts';
import { ConsistencyGate, FeedServer, Freshness, raftSource } from '../../replication/index.ts';
import type { Store } from '../../store/index.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import type { Identity } from '../cluster/identity.ts';
import type { Members } from '../cluster/members.ts';
import type { NodeConfig } from '../config/index.ts';
import { commitThrough } from './commit.ts';
import { Leadership } from './leadership.ts';
import type { Participation, Position } from './participation.ts';

const GROUP = 0;

export interface ParticipationOptions {
  readonly config: NodeConfig;
  readonly identity: Identity;
  readonly store: Store;
  readonly peerServer: Server;
  readonly credentials: () => ChannelCredentials;
  readonly addressOf: (node: number) => string | undefined;
  readonly members: Members;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Takes part in the Raft group: votes, or learns until it may. */
export async function startVoter(options: ParticipationOptions): Promise<Participation> {
  const { config, identity, store, clock, random, log, metrics } = options;
  const logFolder = join(config.dataDir, 'log');
  const sidecarFolder = join(config.dataDir, 'sidecar');
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  await mkdir(sidecarFolder, { recursive: true, mode: 0o700 });
  const sidecarDisk = await nodeDisk(sidecarFolder);
  const id = identity.node as NodeId;
  const { clusterId } = identity;
  const incarnation = await nextIncarnation(sidecarDisk, { clusterId, groupId: GROUP, node: id });
  const self = { clusterId, node: id, incarnation };
  const transport = new GrpcTransport({
    self,
    credentials: options.credentials,
    addressOf: options.addressOf,
    requirePeerCertificate: true,
    clock,
    random,
    log: log.child({ part: 'transport' }),
    metrics,
  });
  transport.register(options.peerServer);
  const raft = await startRaftNode({
    id,
    clusterId,
    groupId: GROUP,
    incarnation,
    disk: await nodeDisk(logFolder),
    sidecarDisk,
    clock,
    random,
    transport,
    stateMachine: store,
    tuning: tuningOf(config.raft),
    log: log.child({ part: 'raft' }),
    metrics,
    ...(identity.founder ? { bootstrap: { voters: [id], learners: [], removed: [] } } : {}),
  });
  const leadership = new Leadership(raft, store, clock, log);
  const readIndex = async (signal: Cancellation) => (await raft.readIndex({ signal })) as number;
  const freshness = new Freshness({ store, clock, askReadIndex: readIndex });
  // A voter that is cut off is as stale as a replica that is.
  const { stalenessMaxMs } = config.replica;
  const gate = new ConsistencyGate({
    store,
    freshness,
    clock,
    stalenessMaxMs,
    asksWhenStale: true,
  });
  new FeedServer({
    self,
    source: raftSource(raft),
    store,
    readIndex,
    clock,
    log: log.child({ part: 'feed' }),
    metrics,
    requirePeerCertificate: true,
    isMember: (node) => options.members.get(node) !== undefined,
  }).register(options.peerServer);
  return {
    self,
    raft,
    readIndex,
    isLeader: () => leadership.isReady,
    leader: () => leadership.leader,
    whenLeaderKnown: (signal) => leadership.whenKnown(signal),
    commit: (transaction, signal) => commitThrough(raft, transaction, signal),
    freshen: (consistency, signal) => gate.ready(consistency, signal),
    position: () => positionOf(raft.status()),
    onLeading: (listener) => leadership.onChange(listener),
    stopped: raft.stopped,
    async [Symbol.asyncDispose]() {
      leadership[Symbol.dispose]();
      await raft.stop();
      transport.close();
      await freshness[Symbol.asyncDispose]();
    },
  };
}

function positionOf(status: RaftStatus): Position {
  const { membership, node, role, leader } = status;
  const healthy = role !== 'recovering' && role !== 'stopped' && leader !== undefined;
  return {
    role: role === 'follower' && membership.learners.includes(node) ? 'learner' : role,
    term: status.term,
    commit: status.commit,
    applied: status.applied,
    lagMs: 0,
    healthy,
    reason: healthy ? '' : (reasons[role] ?? 'it knows of no leader'),
  };
}

const reasons: Readonly<Record<string, string>> = {
  recovering: 'its disk was lost or damaged; it is being caught up and does not vote meanwhile',
  stopped: 'its Raft node has stopped',
};

const SEGMENT_BYTES_MAX = 32 * 1024 * 1024;
const PERSIST_BYTES_MAX = 16 * 1024 * 1024;
const WINDOW_BYTES_MAX = 64 * 1024 * 1024;
/** A log of this many segments at least: whole ones are removed, and never the newest. */
const SEGMENTS_KEPT = 4;

/** Who keeps little of the log also needs small segments, and a state that is persisted often. */
function tuningOf(raft: NodeConfig['raft']) {
  const share = Math.floor(raft.logKeepBytes / SEGMENTS_KEPT);
  return {
    ...raft,
    segmentBytesMax: Math.min(SEGMENT_BYTES_MAX, share),
    persistBytes: Math.min(PERSIST_BYTES_MAX, share),
    windowBytesMax: Math.min(WINDOW_BYTES_MAX, raft.logKeepBytes),
  };
}
