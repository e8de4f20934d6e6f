import type { MembershipChange } from '../../src/raft/core/index.ts';
import { CoreCluster } from './core-cluster.ts';
import { type CoreNode, nodeId } from './core-node.ts';

/**
 * Runs a script that reads like a lab book, a sentence a line; `#` begins a comment:
 *
 *     cluster 1 2 3 [learners 4]      elect 1               tick 2 20          run 30
 *     propose 1 a b                   partition 1 | 2 3     heal               crash 3
 *     restart 3                       compact 1             slow-disk 1        disk 1
 *     read 2 7                        transfer 1 3          member 1 remove 3  start 4
 *     lose append to 3                settle                stabilize
 *     expect leader 2 term 3          expect no leader      expect 1 2 3 applied a b
 *     expect 1 role follower          expect 1 term 3       expect 1 commit 4
 *     expect 2 read 7 at 3            expect 2 read 7 failed
 *     expect 1 log 1:empty 1:a        expect 1 voters 1 2   expect 1 refuses promote 4
 *
 * @throws Error with the line's number and what was found instead.
 */
export function runScenario(text: string): void {
  const scenario = new Scenario();
  text.split('\n').forEach((raw, at) => {
    const words = (raw.split('#')[0] ?? '')
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '');
    if (words.length === 0) return;
    try {
      scenario.perform(words);
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      throw new Error(`line ${at + 1}: ${words.join(' ')}: ${found}`, { cause: error });
    }
  });
}

const numbers = (words: readonly string[]): number[] =>
  words.map((word) => {
    const value = Number(word);
    if (!Number.isSafeInteger(value)) throw new Error(`${word} is no number`);
    return value;
  });

function same(found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`found ${a}, expected ${b}`);
}

function change(words: readonly string[]): MembershipChange {
  const [kind, id] = words;
  const node = nodeId(Number(id));
  if (kind === 'add-learner') return { kind, node, context: new Uint8Array() };
  if (kind === 'promote' || kind === 'demote' || kind === 'remove') return { kind, node };
  throw new Error(`${kind} is no membership change`);
}

class Scenario {
  #cluster: CoreCluster | undefined;

  get #running(): CoreCluster {
    if (this.#cluster === undefined) throw new Error('no cluster yet');
    return this.#cluster;
  }

  #node(word: string | undefined): CoreNode {
    return this.#running.node(Number(word));
  }

  perform(words: readonly string[]): void {
    const [verb = '', ...rest] = words;
    const [first, ...more] = rest;
    const actions: Readonly<Record<string, () => unknown>> = {
      cluster: () => this.#start(rest),
      elect: () => this.#running.elect(Number(first)),
      tick: () => this.#running.tick(Number(first), Number(more[0] ?? 1)),
      run: () => this.#running.run(Number(first)),
      propose: () => this.#propose(this.#node(first), more),
      partition: () => this.#running.partition(...groups(rest)),
      heal: () => this.#running.heal(),
      crash: () => this.#node(first).crash(),
      restart: () => this.#node(first).restart(),
      compact: () => this.#node(first).compact(),
      start: () =>
        this.#running.add(nodeId(Number(first)), { voters: [], learners: [], removed: [] }),
      'slow-disk': () => {
        this.#node(first).slowDisk = true;
      },
      disk: () => this.#catchUp(this.#node(first)),
      read: () => this.#node(first).core.readIndex(Number(more[0])),
      transfer: () =>
        same(this.#node(first).core.transferLeadership(nodeId(Number(more[0]))).kind, 'started'),
      member: () => same(this.#node(first).core.proposeMembership(change(more)).kind, 'accepted'),
      lose: () => this.#lose(rest),
      settle: () => this.#running.settle(),
      stabilize: () => this.#running.stabilize(),
      expect: () => this.#expect(rest),
    };
    const action = actions[verb];
    if (action === undefined) throw new Error(`${verb} is no known sentence`);
    action();
  }

  #start(words: readonly string[]): void {
    const split = words.indexOf('learners');
    const voters = numbers(split < 0 ? words : words.slice(0, split));
    const learners = split < 0 ? [] : numbers(words.slice(split + 1));
    this.#cluster = new CoreCluster({ voters, learners });
  }

  #propose(node: CoreNode, commands: readonly string[]): void {
    same(node.propose(...commands).kind, 'accepted');
  }

  #catchUp(node: CoreNode): void {
    node.slowDisk = false;
    while (node.persistOne());
  }

  #lose([kind, , to]: readonly string[]): void {
    this.#running.drop((message) => message.kind === kind && message.to === Number(to));
  }

  #expect(words: readonly string[]): void {
    if (words[0] === 'no') return same(this.#running.leader?.id, undefined);
    if (words[0] === 'leader') return this.#expectLeader(words);
    const split = words.findIndex((word) => !/^\d+$/.test(word));
    const [what = '', ...rest] = words.slice(split);
    for (const id of numbers(words.slice(0, split))) {
      this.#expectNode(this.#running.node(id), what, rest);
    }
  }

  #expectLeader([, id, , inTerm]: readonly string[]): void {
    const { leader } = this.#running;
    same(leader?.id, Number(id));
    if (inTerm !== undefined) same(leader?.status.term, Number(inTerm));
  }

  #expectNode(node: CoreNode, what: string, rest: readonly string[]): void {
    const { status } = node;
    const [first] = rest;
    const checks: Readonly<Record<string, () => void>> = {
      applied: () => same(node.commands, rest),
      role: () => same(status.role, first),
      term: () => same(status.term, Number(first)),
      commit: () => same(status.commit, Number(first)),
      log: () => same(node.log(), rest),
      voters: () => same(status.membership.voters, numbers(rest)),
      learners: () => same(status.membership.learners, numbers(rest)),
      removed: () => same(status.removed, true),
      read: () => this.#expectRead(node, rest),
      refuses: () => same(node.core.proposeMembership(change(rest)).kind, 'refused'),
    };
    const check = checks[what];
    if (check === undefined) throw new Error(`${what} is nothing that can be expected`);
    check();
  }

  #expectRead(node: CoreNode, [context, how, index]: readonly string[]): void {
    const read = node.reads.find((one) => one.context === Number(context));
    if (how === 'at') same(read?.index, Number(index));
    else if (how === 'failed') same(node.failedReads.includes(Number(context)), true);
    else same(read, undefined);
  }
}

function groups(words: readonly string[]): number[][] {
  return words
    .join(' ')
    .split('|')
    .map((group) => numbers(group.trim().split(/\s+/)));
}
