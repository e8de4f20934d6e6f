import { unreachable } from '../../src/lib/index.ts';
import type { TraceEvent, TraceMessage } from '../../src/raft/core/index.ts';
import { type ModelEntry, type ModelMessage, ModelNode } from './model-node.ts';

export class Violation extends Error {
  override readonly name = 'Violation';
}

function demand(condition: boolean, because: string): asserts condition {
  if (!condition) throw new Violation(because);
}

const keyOf = (m: TraceMessage): string =>
  [m.type, m.from, m.to, m.term, m.index, m.logTerm, m.entries, m.commit, m.reject].join(' ');

/** All nodes and all that was ever sent. `follow` takes one event at a time. */
export class ModelCluster {
  readonly #nodes = new Map<string, ModelNode>();
  /** Everything that left a node. Messages may be lost, delayed and repeated: none is taken out. */
  readonly #sent = new Map<string, ModelMessage>();
  readonly #committed: ModelEntry[] = [];
  readonly #leaders = new Map<number, string>();
  readonly #grants = new Map<string, string>();

  follow(event: TraceEvent): void {
    if (event.name === 'InitState') {
      this.#init(event);
      return;
    }
    const node = this.#nodes.get(event.nid);
    demand(node !== undefined, 'it has not started');
    if (event.name.startsWith('Receive')) {
      this.#agree(node, event);
      this.#receive(node, this.#messageOf(event));
      return;
    }
    this.#act(node, event);
    // These are written before they take effect, one for each entry of a batch.
    if (event.name === 'Replicate' || event.name === 'ChangeConf') return;
    if (event.name !== 'ApplyConfChange') this.#agree(node, event);
    this.#checkCommitted(node);
  }

  #act(node: ModelNode, event: TraceEvent): void {
    switch (event.name) {
      case 'BecomeCandidate':
        return this.#becomeCandidate(node);
      case 'BecomeLeader':
        return this.#becomeLeader(node);
      case 'BecomeFollower':
        return this.#becomeFollower(node, event);
      case 'SendRequestVoteRequest':
      case 'SendAppendEntriesRequest':
        return this.#sendRequest(node, this.#messageOf(event));
      case 'SendRequestVoteResponse':
        return this.#answerVote(node, this.#messageOf(event));
      case 'SendAppendEntriesResponse':
        return this.#answerAppend(node, this.#messageOf(event));
      case 'Replicate':
        return this.#replicate(node, { term: node.term });
      case 'ChangeConf':
        return this.#changeConf(node, event);
      case 'ApplyConfChange':
        return this.#applyConf(node, event);
      case 'Commit':
        return this.#commit(node, event.state.commit);
      case 'LearnCommit':
        return this.#learnCommit(node, event.state.commit);
      case 'Ready':
        return this.#ready(node);
      case 'InitState':
      case 'ReceiveRequestVoteRequest':
      case 'ReceiveRequestVoteResponse':
      case 'ReceiveAppendEntriesRequest':
      case 'ReceiveAppendEntriesResponse':
        throw new Violation('taken elsewhere');
      default:
        return unreachable(event.name);
    }
  }

  #messageOf(event: TraceEvent): TraceMessage {
    demand(event.msg !== undefined, 'it names no message');
    demand(event.msg.type !== 'MsgSnap', 'snapshots are not part of the model');
    return event.msg;
  }

  #init(event: TraceEvent): void {
    const known = this.#nodes.get(event.nid);
    if (known === undefined) {
      const node = new ModelNode(event.nid);
      node.log = Array.from({ length: event.log }, () => ({ term: 1 }));
      node.term = event.state.term;
      node.vote = event.state.vote;
      node.commit = event.state.commit;
      node.conf = event.conf[0];
      node.durable.push(node.snapshot());
      this.#nodes.set(event.nid, node);
      return;
    }
    const { state, log } = event;
    const found = known.durable.findLastIndex(
      (saved, at) =>
        at >= known.durableFrom &&
        saved.term === state.term &&
        saved.vote === state.vote &&
        // A commit index alone need not be synced, and the end of a write may be torn off.
        saved.commit >= state.commit &&
        saved.log.length >= log,
    );
    const saved = known.durable[found];
    demand(saved !== undefined, 'it restarts with less than what it had promised');
    const promised = known.durable.slice(known.durableFrom, found + 1);
    const shortest = Math.min(...promised.map((each) => each.log.length));
    demand(log >= shortest, 'it restarts with less than what it had promised');
    known.term = saved.term;
    known.vote = saved.vote;
    known.commit = state.commit;
    known.log = saved.log.slice(0, log);
    known.role = 'StateFollower';
    known.conf = event.conf[0];
    // The state machine may be older than the log: what it has not applied is applied again.
    known.confApplied = 0;
    known.granted.clear();
    known.match.clear();
    known.pending = [];
    known.inbox = undefined;
    // What was found is what there is: older states cannot come back.
    known.durable.push(known.snapshot());
    known.durableFrom = known.durable.length - 1;
  }

  /** The state that an event names is the model's. */
  #agree(node: ModelNode, event: TraceEvent): void {
    const { term, vote, commit } = event.state;
    demand(term === node.term, `its term is ${term}, the model's ${node.term}`);
    demand(vote === node.vote, `its vote is ${vote}, the model's ${node.vote}`);
    demand(commit === node.commit, `its commit is ${commit}, the model's ${node.commit}`);
    demand(event.role === node.role, `its role is ${event.role}, the model's ${node.role}`);
    demand(event.log === node.log.length, `its log ends at ${event.log}, not ${node.log.length}`);
    const [conf] = event.conf;
    // A joiner learns who founded the cluster from the first entry, which is no change.
    if (node.conf.length === 0 && node.commit > 0) node.conf = conf;
    demand(conf.join() === node.conf.join(), `it counts ${conf.join()}, not ${node.conf.join()}`);
  }

  #becomeCandidate(node: ModelNode): void {
    demand(node.role !== 'StateLeader', 'a leader does not campaign');
    demand(node.conf.includes(node.id), 'it is no voter');
    node.term += 1;
    node.vote = node.id;
    node.role = 'StateCandidate';
    node.granted.clear();
  }

  #becomeLeader(node: ModelNode): void {
    demand(node.role === 'StateCandidate', 'it was no candidate');
    demand(
      node.hasQuorum((voter) => node.granted.has(voter)),
      'no majority gave it their votes',
    );
    const other = this.#leaders.get(node.term);
    demand(other === undefined || other === node.id, `node ${other} leads term ${node.term}`);
    this.#leaders.set(node.term, node.id);
    this.#committed.forEach((entry, at) => {
      demand(node.termAt(at + 1) === entry.term, `it lacks the committed entry ${at + 1}`);
    });
    node.role = 'StateLeader';
    node.match.clear();
  }

  #becomeFollower(node: ModelNode, event: TraceEvent): void {
    const { term } = event.state;
    demand(term >= node.term, `its term falls from ${node.term} to ${term}`);
    if (term > node.term) node.vote = '0';
    node.term = term;
    node.role = 'StateFollower';
  }

  #sendRequest(node: ModelNode, message: TraceMessage): void {
    demand(message.from === node.id && message.term === node.term, 'it speaks for another');
    const { index, logTerm, entries, commit } = message;
    if (message.type === 'MsgVote') {
      demand(node.role === 'StateCandidate', 'only a candidate asks for votes');
      demand(index === node.log.length && logTerm === node.lastTerm, 'it lies about its log');
      this.#hold(node, message, []);
      return;
    }
    demand(node.role === 'StateLeader', 'only a leader replicates');
    demand(commit <= node.commit, 'it names more than it committed');
    if (message.type === 'MsgHeartbeat') {
      const match = node.match.get(message.to) ?? 0;
      demand(commit <= match, `it names ${commit}, the peer is known to hold ${match}`);
    } else {
      demand(node.termAt(index) === logTerm, 'it builds on what its log does not hold');
      demand(index + entries <= node.log.length, 'it sends what its log does not hold');
      demand(commit <= index + entries, 'it names a commit beyond what it vouches for');
    }
    this.#hold(node, message, node.log.slice(index, index + entries));
  }

  #hold(node: ModelNode, message: TraceMessage, body: readonly ModelEntry[]): void {
    node.pending.push({ ...message, body, ready: node.durable.length });
  }

  #ready(node: ModelNode): void {
    node.durable.push(node.snapshot());
    for (const message of node.pending) this.#sent.set(keyOf(message), message);
    node.pending = [];
  }

  #receive(node: ModelNode, shown: TraceMessage): void {
    demand(shown.to === node.id, 'it was sent to another');
    const message = this.#sent.get(keyOf(shown));
    demand(message !== undefined, 'nobody had sent it');
    const sender = this.#nodes.get(message.from);
    const promises = message.type === 'MsgAppResp' || message.type === 'MsgVoteResp';
    // It was said, so what it rests on must outlive a crash of who said it.
    if (sender !== undefined && promises) {
      sender.durableFrom = Math.max(
        sender.durableFrom,
        Math.min(message.ready, sender.durable.length - 1),
      );
    }
    if (message.type === 'MsgVoteResp') this.#receiveVote(node, message);
    else if (message.type === 'MsgAppResp') this.#receiveAck(node, message);
    else if (message.type !== 'MsgHeartbeatResp') node.inbox = message;
  }

  #receiveVote(node: ModelNode, message: ModelMessage): void {
    if (message.reject) return;
    const ballot = `${message.from} in ${message.term}`;
    const other = this.#grants.get(ballot);
    demand(other === undefined || other === message.to, `node ${ballot} voted for ${other} too`);
    this.#grants.set(ballot, message.to);
    if (node.role === 'StateCandidate' && message.term === node.term) {
      node.granted.add(message.from);
    }
  }

  #receiveAck(node: ModelNode, { term, reject, from, index }: ModelMessage): void {
    if (node.role !== 'StateLeader' || term !== node.term || reject) return;
    node.match.set(from, Math.max(node.match.get(from) ?? 0, index));
  }

  #answerVote(node: ModelNode, message: TraceMessage): void {
    if (message.to !== node.id && !message.reject) {
      const request = node.inbox;
      const asked = request?.type === 'MsgVote' && request.from === message.to;
      demand(asked && request.term === node.term, 'nobody asked for this vote');
      demand(node.vote === '0' || node.vote === message.to, `its vote is node ${node.vote}'s`);
      demand(node.isUpToDate(request.index, request.logTerm), 'the candidate lacks entries');
      node.vote = message.to;
    }
    if (message.to === node.id) demand(node.vote === node.id, 'it did not vote for itself');
    this.#hold(node, message, []);
  }

  #answerAppend(node: ModelNode, message: TraceMessage): void {
    this.#hold(node, message, []);
    if (message.to === node.id) {
      demand(node.role === 'StateLeader', 'only a leader counts itself');
      demand(message.index === node.log.length, 'it counts what it has not appended');
      return;
    }
    const request = node.inbox;
    demand(request !== undefined && request.from === message.to, 'nobody asked for this answer');
    if (request.term < node.term) {
      demand(message.reject, 'it accepts what a stale leader sent');
      return;
    }
    if (request.type === 'MsgHeartbeat') {
      if (request.commit <= node.log.length) node.commit = Math.max(node.commit, request.commit);
      return;
    }
    this.#takeAppend(node, request, message);
  }

  #takeAppend(node: ModelNode, request: ModelMessage, answer: TraceMessage): void {
    if (request.index < node.commit) {
      demand(!answer.reject && answer.index === node.commit, 'its answer fits no old append');
      return;
    }
    if (node.termAt(request.index) !== request.logTerm) {
      demand(answer.reject && answer.index === request.index, 'it accepts a log that does not fit');
      return;
    }
    const last = request.index + request.body.length;
    demand(!answer.reject && answer.index === last, 'its answer names another index');
    const differs = request.body.findIndex(
      (entry, at) => node.termAt(request.index + at + 1) !== entry.term,
    );
    if (differs >= 0) {
      demand(request.index + differs >= node.commit, 'a committed entry is replaced');
      const keep = node.log.slice(0, request.index + differs);
      node.log = [...keep, ...request.body.slice(differs)];
    }
    node.commit = Math.max(node.commit, Math.min(request.commit, last));
  }

  #replicate(node: ModelNode, entry: ModelEntry): void {
    demand(node.role === 'StateLeader', 'only a leader appends');
    node.log = [...node.log, entry];
  }

  #changeConf(node: ModelNode, event: TraceEvent): void {
    const change = event.prop?.cc.changes?.[0];
    demand(change !== undefined, 'it names no change');
    demand(node.termAt(node.commit) === node.term, 'nothing of its own term is committed');
    const pending = node.log.some((entry, at) => entry.change && at + 1 > node.confApplied);
    demand(!pending, 'an earlier change is not applied');
    this.#replicate(node, { term: node.term, change });
  }

  #applyConf(node: ModelNode, event: TraceEvent): void {
    this.#agree(node, event);
    const at = node.log.findIndex((entry, i) => entry.change && i + 1 > node.confApplied);
    const change = node.log[at]?.change;
    demand(change !== undefined && at + 1 <= node.commit, 'no such change is committed');
    const after = event.prop?.cc.newconf?.[0];
    demand(after !== undefined, 'it names no new configuration');
    const others = node.conf.filter((voter) => voter !== change.nid);
    const adds = change.action === 'AddNewServer';
    const expected = (adds ? [...others, change.nid] : others).sort((a, b) => +a - +b);
    demand(after.join() === expected.join(), `it counts ${after.join()}, not ${expected.join()}`);
    node.conf = after;
    node.confApplied = at + 1;
  }

  #commit(node: ModelNode, index: number): void {
    demand(node.role === 'StateLeader', 'only a leader commits');
    demand(index > node.commit, 'it commits nothing new');
    demand(node.termAt(index) === node.term, 'the entry is not of its own term');
    demand(
      node.hasQuorum((voter) => (node.match.get(voter) ?? 0) >= index),
      `no majority holds entry ${index}`,
    );
    node.commit = index;
    for (let at = this.#committed.length; at < index; at++) {
      const entry = node.log[at];
      if (entry !== undefined) this.#committed.push(entry);
    }
  }

  /** Told by a candidate or a voter. That somebody committed it is checked after every event. */
  #learnCommit(node: ModelNode, index: number): void {
    demand(node.role !== 'StateLeader', 'a leader commits by counting');
    demand(index > node.commit, 'it learns nothing new');
    demand(index <= node.log.length, 'it commits what its log does not hold');
    node.commit = index;
  }

  /** What a node takes for committed was committed, and is the same everywhere. */
  #checkCommitted(node: ModelNode): void {
    const { commit } = node;
    demand(commit <= this.#committed.length, `nobody committed entry ${commit}`);
    for (let index = commit; index > 0; index--) {
      const same = node.termAt(index) === this.#committed[index - 1]?.term;
      demand(same, `its entry ${index} is not the committed one`);
    }
  }
}
