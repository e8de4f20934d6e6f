import { type Client, connectivityState } from '@grpc/grpc-js';
import { type Address, parseAddress } from './address.ts';
import { channelReady, noConnection, openChannel } from './channel.ts';
import { abortFailure, unreachable } from './failures.ts';
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
  #connecting: Promise<Client> | undefined;
  #opening: Promise<PipelineSession> | undefined;
  #closed = false;

  /** @throws StrongroomError `request.invalid` */
  constructor(address: string, settings: ClientSettings) {
    this.#address = parseAddress(address);
    this.target = this.#address.target;
    this.#settings = settings;
  }

  /** For calls that do not go through the pipeline. @throws StrongroomError `client.unreachable` */
  channel(): Promise<Client> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /**
   * @param waitMs this caller's own patience: who began to connect may have had more.
   * @throws StrongroomError `client.unreachable`: nothing was sent then; or what `signal` stands for.
   */
  session(waitMs: number, signal?: AbortSignal): Promise<PipelineSession> {
    if (this.#session !== undefined && !this.#session.ended) return Promise.resolve(this.#session);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#within(this.#opening, waitMs, signal);
  }

  close(): void {
    this.#closed = true;
    this.#session?.close();
    this.#channel?.close();
  }

  async #open(): Promise<PipelineSession> {
    const channel = await this.channel();
    if (this.#closed) throw closed();
    const { clock } = this.#settings;
    const silent = () => this.#leave(channel);
    this.#session = new PipelineSession(channel, this.target, clock, silent);
    return this.#session;
  }

  async #connect(): Promise<Client> {
    if (this.#closed) throw closed();
    this.#channel ??= openChannel(this.#address, this.#settings);
    const channel = this.#channel;
    try {
      await channelReady(channel, this.target, clientBounds.connectMs);
      return channel;
    } catch (error) {
      // gRPC gives up no attempt by itself. One that met a process that stands still, or a way that
      // was cut, gets no answer ever, and whoever comes next would wait for that same one.
      if (isConnecting(channel)) this.#leave(channel);
      throw error;
    }
  }

  /** The next call makes a new connection. */
  #leave(channel: Client): void {
    channel.close();
    if (this.#channel === channel) this.#channel = undefined;
  }

  #within<T>(work: Promise<T>, waitMs: number, signal: AbortSignal | undefined): Promise<T> {
    if (waitMs >= clientBounds.connectMs && signal === undefined) return work;
    return new Promise((resolve, reject) => {
      const late = () => reject(noConnection(this.target, waitMs));
      const timer = this.#settings.clock.after(waitMs, late);
      const aborted = () => signal !== undefined && reject(abortFailure(signal));
      signal?.addEventListener('abort', aborted, { once: true });
      work.then(resolve, reject).finally(() => {
        timer.cancel();
        signal?.removeEventListener('abort', aborted);
      });
    });
  }
}

function isConnecting(channel: Client): boolean {
  const state = channel.getChannel().getConnectivityState(false);
  return state === connectivityState.CONNECTING || state === connectivityState.IDLE;
}

function closed() {
  return unreachable('the client was closed', { isSent: false });
}
