import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cancellation, deferred, StrongroomError } from '../../lib/index.ts';
import { type NodeId, nextIncarnation, nodeDisk } from '../../raft/index.ts';
import {
  ConsistencyGate,
  FeedServer,
  ReplicaFollower,
  SharedRound,
} from '../../replication/index.ts';
import type { Participation } from './participation.ts';
import { sourceOrder } from './source-order.ts';
import type { ParticipationOptions } from './voter.ts';

const GROUP = 0;
const READ_INDEX_MS = 5_000;

/** Follows the committed log from another node, and feeds those that follow this one. */
export async function startReplica(options: ParticipationOptions): Promise<Participation> {
  const { config, identity, store, members, clock, random, log, metrics } = options;
  const sidecarFolder = join(config.dataDir, 'sidecar');
  await mkdir(sidecarFolder, { recursive: true, mode: 0o700 });
  const node = identity.node as NodeId;
  const { clusterId } = identity;
  const incarnation = await nextIncarnation(await nodeDisk(sidecarFolder), {
    clusterId,
    groupId: GROUP,
    node,
  });
  const self = { clusterId, node, incarnation };
  const failed = deferred<{ readonly because: unknown }>();
  const follower = new ReplicaFollower({
    self,
    region: identity.region,
    store,
    sources: () => sourcesOf(options),
    credentials: options.credentials,
    clock,
    random,
    log: log.child({ part: 'replica' }),
    metrics,
    stalenessMaxMs: config.replica.stalenessMaxMs,
    onFailed: (because) => failed.resolve({ because }),
  });
  // However many follow this replica, it asks its own source once at a time.
  const asking = new SharedRound(() => follower.readIndex(AbortSignal.timeout(READ_INDEX_MS)));
  const readIndex = (signal: Cancellation) => asking.join(signal);
  const gate = new ConsistencyGate({
    store,
    freshness: follower.freshness,
    clock,
    stalenessMaxMs: config.replica.stalenessMaxMs,
    failure: () => follower.failure(),
  });
  new FeedServer({
    self,
    source: follower.recent,
    store,
    readIndex,
    clock,
    log: log.child({ part: 'feed' }),
    metrics,
    requirePeerCertificate: true,
    isMember: (node) => options.members.get(node) !== undefined,
  }).register(options.peerServer);
  follower.start();
  const anyVoter = () => {
    const voters = members.all().filter((member) => member.kind === 'voter');
    return voters[Math.floor(random.below(Math.max(1, voters.length)))]?.node;
  };
  return {
    self,
    raft: undefined,
    readIndex,
    isLeader: () => false,
    leader: () => 0,
    whenLeaderKnown() {
      // A voter knows who leads and hands on what it gets.
      const voter = anyVoter();
      if (voter !== undefined) return Promise.resolve(voter);
      throw new StrongroomError('raft.no-leader', 'This replica knows of no voter yet; try again');
    },
    commit() {
      throw new StrongroomError('raft.not-leader', 'A read replica takes no writes of its own');
    },
    freshen: (consistency, signal) => gate.ready(consistency, signal),
    position() {
      const { state, sourceCommit, appliedIndex } = follower.status();
      const lag = follower.lag();
      return {
        role: 'replica',
        term: 0,
        commit: sourceCommit,
        applied: appliedIndex,
        lagMs: Number.isFinite(lag.ms) ? Math.round(lag.ms) : 0,
        healthy: lag.fresh,
        reason: lag.fresh ? '' : `it is ${state}, and may be staler than its bound`,
      };
    },
    onLeading: () => () => {},
    stopped: failed.promise,
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
    },
  };
}

function sourcesOf({ config, identity, members }: ParticipationOptions) {
  return sourceOrder(identity, members.all(), config.replica.upstreams).flatMap(({ node }) => {
    const address = members.peerAddressOf(node);
    return address === undefined ? [] : [{ node: node as NodeId, address }];
  });
}
