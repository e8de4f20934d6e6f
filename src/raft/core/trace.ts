import type { LogIndex, Membership, MembershipChange, Message, NodeId } from './message.ts';
import type { HardState, Role } from './ready.ts';

/** Names of etcd's trace specification (Traceetcdraft.tla). */
export type TraceName =
  | 'InitState'
  | 'BecomeCandidate'
  | 'BecomeLeader'
  | 'BecomeFollower'
  | 'SendRequestVoteRequest'
  | 'SendRequestVoteResponse'
  | 'SendAppendEntriesRequest'
  | 'SendAppendEntriesResponse'
  | 'ReceiveRequestVoteRequest'
  | 'ReceiveRequestVoteResponse'
  | 'ReceiveAppendEntriesRequest'
  | 'ReceiveAppendEntriesResponse'
  | 'Replicate'
  | 'ChangeConf'
  | 'ApplyConfChange'
  | 'Commit'
  /** Ours, the specification has no such step: a vote or its answer told what is committed. */
  | 'LearnCommit'
  | 'Ready';

export interface TraceMessage {
  readonly type: string;
  readonly term: number;
  readonly from: string;
  readonly to: string;
  readonly entries: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly vote: string;
  readonly reject: boolean;
  readonly rejectHint: number;
}

/** What the `event` of one NDJSON line of etcd's trace format holds. Ids are decimal strings. */
export interface TraceEvent {
  readonly name: TraceName;
  readonly nid: string;
  readonly state: { readonly term: number; readonly vote: string; readonly commit: number };
  readonly role: 'StateFollower' | 'StateCandidate' | 'StateLeader';
  readonly log: number;
  readonly conf: readonly [readonly string[], readonly string[]];
  readonly msg?: TraceMessage;
  readonly prop?: { readonly cc: TraceChange };
}

export interface TraceChange {
  readonly changes?: readonly { readonly nid: string; readonly action: string }[];
  readonly newconf?: readonly [readonly string[], readonly string[]];
}

/** What every event says of its node. */
export interface TraceSubject {
  readonly id: NodeId;
  readonly hard: HardState;
  readonly role: Role;
  readonly lastIndex: LogIndex;
  readonly membership: Membership;
}

const ROLES = {
  follower: 'StateFollower',
  // The specification knows no PreVote: a pre-candidate changed nothing that counts yet.
  'pre-candidate': 'StateFollower',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
} as const;

const ACTIONS = {
  'add-learner': 'AddLearner',
  promote: 'AddNewServer',
  demote: 'AddLearner',
  remove: 'RemoveServer',
} as const;

export function traceEvent(
  name: TraceName,
  subject: TraceSubject,
  more: Pick<TraceEvent, 'msg' | 'prop'> = {},
): TraceEvent {
  const { term, vote, commit } = subject.hard;
  return {
    name,
    nid: String(subject.id),
    state: { term, vote: String(vote ?? 0), commit },
    role: ROLES[subject.role],
    log: subject.lastIndex,
    conf: traceConf(subject.membership),
    ...more,
  };
}

export function traceConf(membership: Membership): readonly [readonly string[], readonly string[]] {
  return [membership.voters.map(String), []];
}

export function traceChange(change: MembershipChange): TraceChange {
  return { changes: [{ nid: String(change.node), action: ACTIONS[change.kind] }] };
}

type Leg = 'Send' | 'Receive';

/** The event's name for a message, `undefined` for those that the specification does not model. */
export function traceNameOf(leg: Leg, kind: Message['kind']): TraceName | undefined {
  switch (kind) {
    case 'vote':
      return `${leg}RequestVoteRequest`;
    case 'vote-response':
      return `${leg}RequestVoteResponse`;
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      return `${leg}AppendEntriesRequest`;
    case 'append-response':
    case 'heartbeat-response':
      return `${leg}AppendEntriesResponse`;
    default:
      return undefined;
  }
}

/** A message as etcd writes it; only what the specification reads is more than a zero. */
export function traceMessage(message: Message): TraceMessage {
  const common = {
    type: 'MsgApp',
    term: message.term,
    from: String(message.from),
    to: String(message.to),
    entries: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: '0',
    reject: false,
    rejectHint: 0,
  };
  switch (message.kind) {
    case 'append': {
      const { prevIndex, prevTerm, entries, commit } = message;
      return { ...common, entries: entries.length, index: prevIndex, logTerm: prevTerm, commit };
    }
    case 'heartbeat':
      return { ...common, type: 'MsgHeartbeat', commit: message.commit };
    case 'snapshot':
      return {
        ...common,
        type: 'MsgSnap',
        entries: message.meta.index,
        commit: message.meta.index,
      };
    case 'append-response':
      return {
        ...common,
        type: 'MsgAppResp',
        index: message.index,
        reject: message.reject,
        rejectHint: message.hintIndex,
      };
    case 'heartbeat-response':
      return { ...common, type: 'MsgHeartbeatResp' };
    case 'vote':
      return { ...common, type: 'MsgVote', index: message.lastIndex, logTerm: message.lastTerm };
    case 'vote-response':
      return { ...common, type: 'MsgVoteResp', reject: message.reject };
    default:
      return { ...common, type: message.kind };
  }
}
