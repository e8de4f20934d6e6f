import { hasCode, StrongroomError } from '../../lib/index.ts';
import type { NodeId } from '../../raft/index.ts';
import { ForwardClient, ForwardServer } from '../../replication/index.ts';
import type { RunningVault } from '../../vault/index.ts';
import { HeadKeeper } from '../audit-heads/head-keeper.ts';
import type { Admission } from '../cluster/admission.ts';
import { encodeMember, memberRecord } from '../cluster/members.ts';
import type { NodeReport, PeerRequest } from '../cluster/peer-request.ts';
import { fromBase64, type ReplicatedSealRecords } from '../cluster/seal-records.ts';
import type { Foundation } from '../foundation.ts';
import { peerChannelCredentials } from '../peer-credentials.ts';
import { answerPeers, handlePeer, PeerCaller, type PeerHandlers } from '../peer-exchange.ts';

const LEADER_MS = 10_000;
const WRITE_MS = 15_000;

export interface Exchange extends AsyncDisposable {
  readonly caller: PeerCaller;
  /** A request of this node, to whoever leads; answered here when this node does. */
  askLeader(request: PeerRequest): Promise<Readonly<Record<string, unknown>>>;
}

/** What goes between nodes beside Raft and the feed: forwarded requests, and the nodes' own. */
export function openExchange(
  foundation: Foundation,
  parts: {
    readonly admission: Admission;
    readonly sealRecords: ReplicatedSealRecords;
    readonly report: () => NodeReport;
    readonly vault: () => RunningVault | undefined;
  },
): Exchange {
  const { participation, identity, clock, log } = foundation;
  const client = new ForwardClient({
    self: participation.self,
    credentials: () => peerChannelCredentials(foundation.peers.tls()),
    addressOf: (node) => foundation.members.peerAddressOf(node),
    clock,
    log: log.child({ part: 'forwarding' }),
  });
  const caller = new PeerCaller(client);
  const handlers = handlersOf(foundation, parts);
  const answer = answerPeers({
    vault() {
      const vault = parts.vault();
      if (vault === undefined) throw new StrongroomError('node.stopping', 'The node is starting');
      return vault;
    },
    handlers,
    log,
  });
  new ForwardServer({
    self: participation.self,
    requirePeerCertificate: true,
    isMember: (node) => foundation.members.get(node) !== undefined,
    log: log.child({ part: 'forwarding' }),
    handle: (bytes, signal, peer) => answer(bytes, { from: peer.node, signal }),
  }).register(foundation.peers.server);
  return {
    caller,
    async askLeader(request) {
      const leader = await participation.whenLeaderKnown(AbortSignal.timeout(LEADER_MS));
      if (leader !== identity.node) return askThrough(caller, leader, request);
      const done = await handlePeer(handlers, identity.node, request);
      return done as Readonly<Record<string, unknown>>;
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** A read replica asks any voter; one that does not lead says who does. */
async function askThrough(caller: PeerCaller, node: number, request: PeerRequest) {
  try {
    return await caller.ask(node, request);
  } catch (error) {
    if (!hasCode(error, 'raft.not-leader')) throw error;
    const { leader } = await caller.report(node, AbortSignal.timeout(LEADER_MS));
    if (leader === 0 || leader === node) throw error;
    return caller.ask(leader, request);
  }
}

function handlersOf(
  foundation: Foundation,
  parts: {
    readonly admission: Admission;
    readonly sealRecords: ReplicatedSealRecords;
    readonly report: () => NodeReport;
  },
): PeerHandlers {
  const { records, members, identity, clock } = foundation;
  const heads = new HeadKeeper({ records, clusterId: identity.clusterId, clock });
  const write = async (name: string, value: Uint8Array) => {
    await records.write(new Map([[name, value]]), new Map(), AbortSignal.timeout(WRITE_MS));
  };
  return {
    report: parts.report,
    digests: (request) => foundation.integrity.digests(request, AbortSignal.timeout(LEADER_MS)),
    auditHead: (from, { head }) => heads.accept(from, head),
    renewCertificate: (from, csr) => parts.admission.renew(from, csr),
    async advertise(from, request) {
      const before = members.get(from);
      if (before === undefined) throw notYours(from);
      const { apiAddress, peerAddress, metricsAddress, version } = request;
      const after = { ...before, apiAddress, peerAddress, metricsAddress, version };
      await write(memberRecord(from), encodeMember(after));
    },
    sealRecords: (request) =>
      parts.sealRecords.writeHere(fromBase64(request.changes), fromBase64(request.expected)),
  };
}

function notYours(from: NodeId | number): StrongroomError {
  return new StrongroomError(
    'cluster.unknown-member',
    `Node ${from} is no member, or speaks for another node`,
  );
}
