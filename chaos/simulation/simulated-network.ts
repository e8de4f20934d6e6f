import type { SeededRandom } from '../../src/lib/index.ts';
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

interface Endpoint {
  readonly handlers: TransportHandlers;
  readonly time: ProcessTime;
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
  delivered = 0;

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    faults: NetworkFaults,
    onSend: (message: Message) => void,
  ) {
    this.#onSend = onSend;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#faults = faults;
  }

  transportOf(node: NodeId, time: ProcessTime): Transport {
    return {
      attach: (_groupId, handlers) => {
        const endpoint = { handlers, time };
        this.#endpoints.set(node, endpoint);
        return {
          send: (messages) => {
            for (const message of messages) this.#send(message, time);
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
    return this.#cut.has(`${from}>${to}`);
  }

  #delayMs(): number {
    // Exponential: most are quick, a few overtake one another by far.
    return 0.1 - Math.log(1 - this.#random.float()) * this.#faults.delayMsMean;
  }

  #send(message: Message, time: ProcessTime): void {
    const { from, to } = message;
    this.#onSend(message);
    const { lossPerMille, duplicatePerMille } = this.#faults;
    if (this.#isCut(from, to) || this.#random.below(1000) < lossPerMille) {
      // Sometimes the connection notices.
      if (this.#random.below(4) === 0) this.#tellUnreachable(from, to, time);
      return;
    }
    this.#deliver(message);
    if (this.#random.below(1000) < duplicatePerMille) this.#deliver(message);
  }

  #tellUnreachable(from: NodeId, to: NodeId, time: ProcessTime): void {
    time.after(this.#delayMs(), () => this.#endpoints.get(from)?.handlers.unreachable(to));
  }

  #deliver(message: Message): void {
    const wire = this.#faults.encodes ? encodeMessages([message]) : undefined;
    this.#scheduler.after(this.#delayMs(), () => {
      const endpoint = this.#endpoints.get(message.to);
      if (endpoint === undefined || this.#isCut(message.from, message.to)) return;
      endpoint.time.after(0, () => {
        this.delivered += 1;
        const [arrived] = wire === undefined ? [message] : decodeMessages(wire);
        if (arrived !== undefined) endpoint.handlers.message(arrived);
      });
    });
  }

  #sendSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
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
      this.#scheduler.after(this.#delayMs(), () => {
        const isLost =
          this.#isCut(from, to) || this.#random.below(2000) < this.#faults.lossPerMille;
        if (isLost) reject(new Error('the stream broke'));
        else resolve();
      });
    });
  }
}
