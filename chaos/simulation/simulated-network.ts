import type { Cancellation, SeededRandom } from '../../src/lib/index.ts';
import type { Message } from '../../src/raft/core/index.ts';
import { decodeMessages, encodeMessages } from '../../src/raft/driver/transport/codec.ts';
import type {
  NodeId,
  SnapshotMessage,
  Transport,
  TransportHandlers,
} from '../../src/raft/index.ts';
import type { ProcessTime, Scheduler } from './scheduler.ts';

export interface NetworkFaults {
  readonly delayMsMean: number;
  /** Out of a thousand messages. */
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  /** Messages go through the codec, as bytes. */
  readonly encodes: boolean;
}

/** What one direction of one link adds to the faults of the whole network. */
export interface LinkFaults {
  readonly isBlocked: boolean;
  readonly isRefused: boolean;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly reorderRatio: number;
}

/** How much later than in its turn a message comes that is overtaken. */
const REORDER_MS = 50;

interface Endpoint {
  readonly handlers: TransportHandlers;
  readonly time: ProcessTime;
  /** Starts of the node that this process is. */
  readonly incarnation: number;
  /** The latest process of each peer that was heard of here. */
  readonly peers: Map<NodeId, number>;
}

/** A peer that does not answer a snapshot stream is given up after this. */
const SNAPSHOT_TIMEOUT_MS = 4_000;

/** Loses, delays, doubles and reorders messages; links can be cut in one direction. */
export class SimulatedNetwork {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #endpoints = new Map<NodeId, Endpoint>();
  readonly #cut = new Set<string>();
  #faults: NetworkFaults;
  readonly #onSend: (message: Message) => void;
  readonly #linkFaults: (from: NodeId, to: NodeId) => LinkFaults | undefined;
  delivered = 0;

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    faults: NetworkFaults,
    onSend: (message: Message) => void,
    linkFaults: (from: NodeId, to: NodeId) => LinkFaults | undefined = () => undefined,
  ) {
    this.#onSend = onSend;
    this.#linkFaults = linkFaults;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#faults = faults;
  }

  transportOf(node: NodeId, time: ProcessTime, incarnation: number): Transport {
    return {
      attach: (_groupId, handlers) => {
        const endpoint = { handlers, time, incarnation, peers: new Map<NodeId, number>() };
        this.#endpoints.set(node, endpoint);
        return {
          send: (messages) => {
            for (const message of messages) this.#send(message, endpoint);
          },
          sendSnapshot: (message, chunks, signal) =>
            this.#sendSnapshot(message, chunks, signal, time),
          detach: () => {
            if (this.#endpoints.get(node) === endpoint) this.#endpoints.delete(node);
          },
        };
      },
    };
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** All links are whole again; other faults go on. */
  heal(): void {
    this.#cut.clear();
  }

  /** No more faults at all. */
  calm(): void {
    this.heal();
    this.#faults = { ...this.#faults, lossPerMille: 0, duplicatePerMille: 0, delayMsMean: 2 };
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(`${from}>${to}`) || this.#linkFaults(from, to)?.isBlocked === true;
  }

  #delayMs(from: NodeId, to: NodeId): number {
    // Exponential: most are quick, a few overtake one another by far.
    const delayMs = 0.1 - Math.log(1 - this.#random.float()) * this.#faults.delayMsMean;
    const link = this.#linkFaults(from, to);
    if (link === undefined) return delayMs;
    const jitterMs = (2 * this.#random.float() - 1) * link.jitterMs;
    const isOvertaken = this.#random.float() < link.reorderRatio;
    const lateMs = isOvertaken ? this.#random.float() * REORDER_MS : 0;
    return Math.max(0.1, delayMs + link.delayMs + jitterMs + lateMs);
  }

  /** Whether chance takes it; drawn only where there is something to draw. */
  #isLost(from: NodeId, to: NodeId): boolean {
    if (this.#random.below(1000) < this.#faults.lossPerMille) return true;
    const link = this.#linkFaults(from, to);
    return link !== undefined && this.#random.float() < link.lossRatio;
  }

  #isDoubled(from: NodeId, to: NodeId): boolean {
    if (this.#random.below(1000) < this.#faults.duplicatePerMille) return true;
    const link = this.#linkFaults(from, to);
    return link !== undefined && this.#random.float() < link.duplicateRatio;
  }

  #send(message: Message, sender: Endpoint): void {
    const { from, to } = message;
    this.#onSend(message);
    if (this.#isCut(from, to) || this.#isLost(from, to)) {
      // Sometimes the connection notices.
      const isTold = this.#random.below(4) === 0 || this.#linkFaults(from, to)?.isRefused === true;
      if (isTold) this.#tellUnreachable(from, to, sender.time);
      return;
    }
    this.#deliver(message, sender.incarnation);
    if (this.#isDoubled(from, to)) this.#deliver(message, sender.incarnation);
  }

  #tellUnreachable(from: NodeId, to: NodeId, time: ProcessTime): void {
    time.after(this.#delayMs(from, to), () => this.#endpoints.get(from)?.handlers.unreachable(to));
  }

  #deliver(message: Message, incarnation: number): void {
    const wire = this.#faults.encodes ? encodeMessages([message]) : undefined;
    this.#scheduler.after(this.#delayMs(message.from, message.to), () => {
      const endpoint = this.#endpoints.get(message.to);
      if (endpoint === undefined || this.#isCut(message.from, message.to)) return;
      endpoint.time.after(0, () => {
        this.delivered += 1;
        const [arrived] = wire === undefined ? [message] : decodeMessages(wire);
        if (arrived !== undefined && this.#isPresent(message.from, incarnation, endpoint)) {
          endpoint.handlers.message(arrived);
        }
      });
    });
  }

  /** As the greeting of a stream does: a later process is announced, an earlier one not heard. */
  #isPresent(from: NodeId, incarnation: number, endpoint: Endpoint): boolean {
    const known = endpoint.peers.get(from) ?? 0;
    if (incarnation < known) return false;
    if (incarnation > known) {
      endpoint.peers.set(from, incarnation);
      if (known > 0) endpoint.handlers.restarted(from);
    }
    return true;
  }

  #sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: Cancellation,
    time: ProcessTime,
  ): Promise<void> {
    const { from, to } = message;
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(why));
      signal.addEventListener('abort', () => fail('called off'), { once: true });
      time.after(SNAPSHOT_TIMEOUT_MS, () => fail('no answer'));
      const transfer = async () => {
        const whole: Uint8Array[] = [];
        for await (const chunk of chunks) whole.push(chunk);
        await this.#hop(from, to);
        const endpoint = this.#endpoints.get(to);
        if (endpoint === undefined) throw new Error('nobody there');
        await endpoint.handlers.snapshot(message, this.#arriving(from, to, whole));
        await this.#hop(to, from);
      };
      transfer().then(resolve, reject);
    });
  }

  async *#arriving(
    from: NodeId,
    to: NodeId,
    chunks: readonly Uint8Array[],
  ): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) {
      await this.#hop(from, to);
      yield chunk;
    }
  }

  #hop(from: NodeId, to: NodeId): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#scheduler.after(this.#delayMs(from, to), () => {
        const isLost =
          this.#isCut(from, to) || this.#random.below(2000) < this.#faults.lossPerMille;
        if (isLost) reject(new Error('the stream broke'));
        else resolve();
      });
    });
  }
}
