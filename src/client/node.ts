import type { Client } from '@grpc/grpc-js';
import { type Address, parseAddress } from './address.ts';
import { channelReady, openChannel } from './channel.ts';
import { unreachable } from './failures.ts';
import { type ClientSettings, clientBounds } from './options.ts';
import { PipelineSession } from './pipeline-session.ts';

/** One node as the client knows it: its channel and the pipeline on it, opened when first needed. */
export class Node {
  readonly target: string;
  region: string | undefined;
  /** Monotonic; until then the others are asked first. */
  avoidUntilMs = 0;
  readonly #address: Address;
  readonly #settings: ClientSettings;
  #channel: Client | undefined;
  #session: PipelineSession | undefined;
  #opening: Promise<PipelineSession> | undefined;
  #closed = false;

  /** @throws StrongroomError `request.invalid` */
  constructor(address: string, settings: ClientSettings) {
    this.#address = parseAddress(address);
    this.target = this.#address.target;
    this.#settings = settings;
  }

  /** For calls that do not go through the pipeline. @throws StrongroomError `client.unreachable` */
  async channel(waitMs: number = clientBounds.connectMs): Promise<Client> {
    if (this.#closed) throw closed();
    this.#channel ??= openChannel(this.#address, this.#settings);
    await channelReady(this.#channel, this.target, Math.min(waitMs, clientBounds.connectMs));
    return this.#channel;
  }

  /** @throws StrongroomError `client.unreachable`: nothing was sent then. */
  session(waitMs: number): Promise<PipelineSession> {
    if (this.#session !== undefined && !this.#session.ended) return Promise.resolve(this.#session);
    this.#opening ??= this.#open(waitMs).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#session?.close();
    this.#channel?.close();
  }

  async #open(waitMs: number): Promise<PipelineSession> {
    const channel = await this.channel(waitMs);
    if (this.#closed) throw closed();
    this.#session = new PipelineSession(channel, this.target, this.#settings.clock);
    return this.#session;
  }
}

function closed() {
  return unreachable('the client was closed', { isSent: false });
}
