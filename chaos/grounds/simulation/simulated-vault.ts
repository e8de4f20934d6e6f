import { hasCode, StrongroomError } from '../../../src/lib/index.ts';
import type { NodeId } from '../../../src/raft/index.ts';
import type { Checker } from '../../simulation/checker.ts';
import type { Scheduler } from '../../simulation/scheduler.ts';
import type { SimulatedNode } from '../../simulation/simulated-node.ts';
import {
  type Command,
  encodeCommand,
  type KvHistory,
  type StoredVersion,
  type WriteResult,
} from './kv-history.ts';

/** One way between a client and a node. */
const HOP_MS = 0.5;
const APPLIED_POLL_MS = 1;

export interface SimulatedVaultParts {
  readonly scheduler: Scheduler;
  readonly checker: Checker;
  readonly kv: KvHistory;
  readonly nodes: ReadonlyMap<string, SimulatedNode>;
  /** Runs a check; a broken promise of Raft is remembered. */
  readonly guard: (check: () => void) => void;
}

/** What nodes do for clients: the vault's way of a request, without its keys and policies. */
export class SimulatedVault {
  readonly #parts: SimulatedVaultParts;

  constructor(parts: SimulatedVaultParts) {
    this.#parts = parts;
  }

  get scheduler(): Scheduler {
    return this.#parts.scheduler;
  }

  get names(): readonly string[] {
    return [...this.#parts.nodes.keys()];
  }

  /**
   * The node, once the request has come to it: never when it is frozen for ever.
   * @throws StrongroomError `client.unreachable` when nobody listens there.
   */
  async reach(name: string): Promise<SimulatedNode> {
    await new Promise<void>((resolve) => this.scheduler.after(HOP_MS, resolve));
    const node = this.#parts.nodes.get(name);
    if (node === undefined || node.phase !== 'up')
      throw new StrongroomError('client.unreachable', `Nobody listens at ${name}`);
    await new Promise<void>((resolve) => node.whenRunning(0, resolve));
    return node;
  }

  /** Resolves when the answer has come back; never when the node has died before it was sent. */
  async write(node: SimulatedNode, command: Command): Promise<WriteResult> {
    const { checker, guard, kv } = this.#parts;
    const data = encodeCommand(command);
    try {
      const proposed = await raftOf(node).propose(data);
      guard(() => checker.acknowledged(data, proposed));
    } catch (error) {
      if (!hasCode(error, 'raft.outcome-unknown')) guard(() => checker.refusedForCertain(data));
      throw error;
    }
    const result = kv.resultOf(command.id);
    await this.#answer(node);
    return result;
  }

  /** A linearizable read: what a quorum confirmed is applied here first. */
  async read(
    node: SimulatedNode,
    key: string,
  ): Promise<{ readonly found: StoredVersion | undefined; readonly revision: number }> {
    const { checker, guard, kv } = this.#parts;
    const ackedBefore = checker.ackedUpTo;
    const index = await raftOf(node).readIndex();
    guard(() => checker.read(ackedBefore, index));
    while (appliedOf(node) < index)
      await new Promise<void>((resolve) => node.whenRunning(APPLIED_POLL_MS, resolve));
    const revision = appliedOf(node);
    const found = kv.read(key, revision);
    await this.#answer(node);
    return { found, revision };
  }

  async stepDown(node: SimulatedNode): Promise<void> {
    await raftOf(node).transferLeadership();
    await this.#answer(node);
  }

  /** The leader that a refusal names. */
  leaderIn(error: unknown): string | undefined {
    if (!hasCode(error, 'raft.not-leader')) return undefined;
    const id = error.details['leader'] as NodeId | undefined;
    for (const [name, node] of this.#parts.nodes) if (node.id === id) return name;
    return undefined;
  }

  nodeAfter(name: string): string {
    const { names } = this;
    return names[(names.indexOf(name) + 1) % names.length] ?? name;
  }

  /** By the process that did the work: it may stand still, or be gone. */
  async #answer(node: SimulatedNode): Promise<void> {
    await new Promise<void>((resolve) => node.whenRunning(0, resolve));
    await new Promise<void>((resolve) => this.scheduler.after(HOP_MS, resolve));
  }
}

function raftOf(node: SimulatedNode) {
  if (node.raft === undefined)
    throw new StrongroomError('client.unreachable', 'The node went away');
  return node.raft;
}

/** A node that went away has applied nothing that could be read: its reader waits for ever. */
const appliedOf = (node: SimulatedNode): number => node.machine?.applied().index ?? -1;
