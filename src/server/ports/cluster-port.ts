import { type Cancellation, StrongroomError, withTimeout } from '../../lib/index.ts';
import type { NodeId, RaftNode } from '../../raft/index.ts';
import type { Revision } from '../../store/index.ts';
import type { ClusterPort } from '../../vault/index.ts';
import type { Admission } from '../cluster/admission.ts';
import type { Member } from '../cluster/member.ts';
import { encodeMember, type Members, memberRecord } from '../cluster/members.ts';
import type { MembershipKeeper } from '../cluster/membership-keeper.ts';
import type { NodeReport } from '../cluster/peer-request.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import { bestOf, isFit } from '../fitness/fitness.ts';

const CHANGE_MS = 20_000;
const WRITE_MS = 15_000;

export interface ClusterPortParts {
  readonly self: { readonly clusterId: string; readonly node: number };
  readonly caPem: string;
  /** Only voters have one. */
  readonly raft: RaftNode | undefined;
  readonly keeper: () => MembershipKeeper | undefined;
  readonly members: Members;
  readonly records: SystemRecords;
  readonly admission: Admission;
  readonly leader: () => number;
  readonly report: () => NodeReport;
  /** Every node's own, undefined for one that does not answer. */
  readonly reports: (signal: Cancellation) => Promise<ReadonlyMap<number, NodeReport | undefined>>;
}

/** What the `cluster.*` operations do. */
export function createClusterPort(parts: ClusterPortParts): ClusterPort {
  return {
    async status(context) {
      const reports = await parts.reports(context.signal);
      const own = parts.report();
      const leader = parts.leader();
      const commit = Math.max(...[...reports.values()].map((one) => one?.commit ?? 0), own.commit);
      return {
        revision: own.applied,
        clusterId: parts.self.clusterId,
        leader,
        term: own.term,
        commit,
        node: parts.self.node,
        members: parts.members
          .all()
          .map((member) => describe(member, reports.get(member.node), commit)),
      };
    },
    async createJoinToken(_context, request) {
      return parts.admission.createJoinToken(request);
    },
    async join(_context, request) {
      const { member, certificate } = await parts.admission.join(request);
      parts.keeper()?.nudge();
      return {
        node: member.node,
        clusterId: parts.self.clusterId,
        certificate,
        caCertificate: parts.caPem,
        kind: member.kind,
        region: member.region,
        members: parts.members.all().map((one) => describe(one, undefined, 0)),
      };
    },
    async promote(context, { node }) {
      const member = requireMember(parts, node);
      refuseReplica(member, 'promote');
      await changeKind(parts, member, 'voter', context.signal);
      await until(parts, () => membership(parts).voters.includes(node as NodeId), context.signal, {
        change: `promote node ${node}`,
        stuck: 'it has not caught up yet; it will vote as soon as it has',
      });
      return {};
    },
    async demote(context, { node }) {
      const member = requireMember(parts, node);
      refuseReplica(member, 'demote');
      refuseLastVoter(parts, node, 'demote');
      await takeVote(parts, member, context.signal);
      return {};
    },
    async remove(context, { node }) {
      const member = requireMember(parts, node);
      if (member.kind !== 'replica') refuseLastVoter(parts, node, 'remove');
      // Its record is what lets it speak with others, and its vote may still be needed.
      if (member.kind === 'voter') await takeVote(parts, member, context.signal);
      await write(parts, new Map([[memberRecord(node), undefined]]), context.signal);
      parts.keeper()?.nudge();
      const gone = () => {
        const { voters, learners } = membership(parts);
        return !voters.includes(node as NodeId) && !learners.includes(node as NodeId);
      };
      await until(parts, gone, context.signal, {
        change: `remove node ${node}`,
        stuck: 'the change is recorded and will be made when a majority can be reached',
      });
      return {};
    },
    async stepDown(context, { node }) {
      const raft = requireRaft(parts);
      if (node !== 0) requireMember(parts, node);
      const reports = await parts.reports(context.signal);
      if (node !== 0) refuseUnfit(node, reports.get(node));
      await raft.transferLeadership(node === 0 ? fittest(parts, reports) : (node as NodeId));
      return {};
    },
  };
}

function describe(member: Member, report: NodeReport | undefined, commit: number) {
  const { node, name, region, kind, apiAddress, peerAddress, metricsAddress } = member;
  return {
    node,
    name,
    region,
    kind,
    role: report?.role ?? 'unreachable',
    apiAddress,
    peerAddress,
    metricsAddress,
    applied: report?.applied ?? 0,
    commit: report?.commit ?? 0,
    term: report?.term ?? 0,
    lagEntries: report === undefined ? 0 : Math.max(0, commit - report.applied),
    lagMs: report?.lagMs ?? 0,
    sealState: report?.seal.state ?? 'unknown',
    healthy: report?.healthy ?? false,
    reason: report?.reason ?? 'it does not answer',
    version: report?.version ?? member.version,
  };
}

function requireMember(parts: ClusterPortParts, node: number): Member {
  const member = parts.members.get(node);
  if (member !== undefined) return member;
  throw new StrongroomError(
    'cluster.unknown-member',
    `Cannot change node ${node}: it is no member; strongroom operator members list shows them`,
  );
}

function requireRaft(parts: ClusterPortParts): RaftNode {
  if (parts.raft !== undefined) return parts.raft;
  throw new StrongroomError('raft.not-leader', 'Cannot do this on a read replica: it never leads');
}

function membership(parts: ClusterPortParts) {
  return requireRaft(parts).status().membership;
}

function refuseReplica(member: Member, change: string): void {
  if (member.kind !== 'replica') return;
  throw new StrongroomError(
    'cluster.change-refused',
    `Cannot ${change} node ${member.node}: it is a read replica; join a new node as a voter instead`,
  );
}

function refuseLastVoter(parts: ClusterPortParts, node: number, change: string): void {
  const { voters } = membership(parts);
  if (voters.length > 1 || !voters.includes(node as NodeId)) return;
  throw new StrongroomError(
    'cluster.change-refused',
    `Cannot ${change} node ${node}: it is the last voter, and a cluster without voters is dead`,
  );
}

/** Who takes over, by what the voters say of themselves; Raft chooses when none is fit. */
function fittest(
  parts: ClusterPortParts,
  reports: ReadonlyMap<number, NodeReport | undefined>,
): NodeId | undefined {
  const { voters } = membership(parts);
  return bestOf(reports.values(), voters, parts.self.node)?.node as NodeId | undefined;
}

/** It would hand leadership back a moment later. One that says nothing is left to Raft. */
function refuseUnfit(node: number, report: NodeReport | undefined): void {
  if (report === undefined || isFit(report)) return;
  const because = report.healthy ? 'it is sealed' : report.reason;
  throw new StrongroomError(
    'cluster.change-refused',
    `Cannot hand over leadership to node ${node}: ${because}`,
  );
}

/** The leader does not demote or remove itself: it hands over first, and the client asks again. */
async function leaveLeadership(
  parts: ClusterPortParts,
  node: number,
  signal: Cancellation,
): Promise<void> {
  if (node !== parts.self.node) return;
  await requireRaft(parts).transferLeadership(fittest(parts, await parts.reports(signal)));
  signal.throwIfAborted();
  throw new StrongroomError(
    'raft.not-leader',
    `Node ${node} led and has handed over; the new leader takes the change`,
  );
}

/** Resolves when the node has no vote any more, and a majority of the others knows that. */
async function takeVote(
  parts: ClusterPortParts,
  member: Member,
  signal: Cancellation,
): Promise<void> {
  const { node } = member;
  await leaveLeadership(parts, node, signal);
  await changeKind(parts, member, 'learner', signal);
  const done = () => {
    const { membership, settled } = requireRaft(parts).status();
    return settled && !membership.voters.includes(node as NodeId);
  };
  await until(parts, done, signal, {
    change: `demote node ${node}`,
    stuck: 'the change is recorded and will be made when a majority can be reached',
  });
}

async function changeKind(
  parts: ClusterPortParts,
  member: Member,
  kind: Member['kind'],
  signal: Cancellation,
): Promise<void> {
  const changed = encodeMember({ ...member, kind });
  await write(parts, new Map([[memberRecord(member.node), changed]]), signal);
  parts.keeper()?.nudge();
}

async function write(
  parts: ClusterPortParts,
  changes: ReadonlyMap<string, Uint8Array | undefined>,
  signal: Cancellation,
): Promise<void> {
  const expected = new Map<string, Revision>();
  for (const name of changes.keys()) {
    expected.set(name, parts.records.get(name)?.revision ?? (0 as Revision));
  }
  using limit = withTimeout(signal, WRITE_MS);
  if (await parts.records.write(changes, expected, limit)) return;
  throw new StrongroomError(
    'cluster.change-refused',
    'Cannot change the member: somebody else changed it at the same time; list the members and try again',
  );
}

/** Resolves when `holds`, as told by Raft's own changes of status. */
async function until(
  parts: ClusterPortParts,
  holds: () => boolean,
  signal: Cancellation,
  words: { readonly change: string; readonly stuck: string },
): Promise<void> {
  if (holds()) return;
  const raft = requireRaft(parts);
  using limit = withTimeout(signal, CHANGE_MS);
  await new Promise<void>((resolve, reject) => {
    const unsubscribe = raft.onStatusChange(() => {
      if (holds()) done(resolve);
    });
    const abandon = () =>
      done(() =>
        reject(
          new StrongroomError(
            'cluster.change-refused',
            `Could not ${words.change} within ${CHANGE_MS} ms: ${words.stuck}`,
          ),
        ),
      );
    const done = (end: () => void) => {
      unsubscribe();
      limit.removeEventListener('abort', abandon);
      end();
    };
    limit.addEventListener('abort', abandon, { once: true });
    if (limit.aborted) abandon();
    else if (holds()) done(resolve);
  });
}
