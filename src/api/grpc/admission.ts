import { type Clock, StrongroomError } from '../../lib/index.ts';
import type { ApiBounds } from './bounds.ts';

/** Connections whose rate is remembered at once; one that was idle for a second needs no memory. */
const REMEMBERED_CONNECTIONS_MAX = 16_384;

interface Connection {
  inFlight: number;
  /** Calls saved up; refilled by the time that passed. */
  allowance: number;
  refilledAtMs: number;
}

/** Keeps the node, and each connection for itself, within its bounds of rate and calls in flight. */
export class Admission {
  readonly #bounds: ApiBounds;
  readonly #clock: Clock;
  readonly #node: Connection;
  readonly #connections = new Map<string, Connection>();

  constructor(bounds: ApiBounds, clock: Clock) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#node = fresh(bounds.nodeCallsPerSecond, clock.monotonicMs());
  }

  get inFlight(): number {
    return this.#node.inFlight;
  }

  /**
   * Lets one call of `peer` (address and port) in.
   *
   * @returns what to call, once, when no more work is done for it.
   * @throws StrongroomError `request.overloaded`, `request.rate-limited`
   */
  enter(peer: string): () => void {
    const { nodeInFlightMax, nodeCallsPerSecond } = this.#bounds;
    const { connectionInFlightMax, connectionCallsPerSecond } = this.#bounds;
    const nowMs = this.#clock.monotonicMs();
    const connection = this.#connectionOf(peer, nowMs);
    if (this.#node.inFlight >= nodeInFlightMax) throw overloaded('This node', nodeInFlightMax);
    if (connection.inFlight >= connectionInFlightMax)
      throw overloaded('This connection', connectionInFlightMax);
    refill(connection, connectionCallsPerSecond, nowMs);
    refill(this.#node, nodeCallsPerSecond, nowMs);
    if (connection.allowance < 1) throw rateLimited('This connection', connectionCallsPerSecond);
    if (this.#node.allowance < 1) throw rateLimited('This node', nodeCallsPerSecond);
    connection.allowance -= 1;
    this.#node.allowance -= 1;
    connection.inFlight++;
    this.#node.inFlight++;
    return () => {
      connection.inFlight--;
      this.#node.inFlight--;
    };
  }

  #connectionOf(peer: string, nowMs: number): Connection {
    let connection = this.#connections.get(peer);
    if (connection === undefined) {
      if (this.#connections.size >= REMEMBERED_CONNECTIONS_MAX) this.#forgetIdle(nowMs);
      connection = fresh(this.#bounds.connectionCallsPerSecond, nowMs);
      this.#connections.set(peer, connection);
    }
    return connection;
  }

  #forgetIdle(nowMs: number): void {
    for (const [peer, connection] of this.#connections)
      if (connection.inFlight === 0 && nowMs - connection.refilledAtMs >= 1000)
        this.#connections.delete(peer);
    if (this.#connections.size >= REMEMBERED_CONNECTIONS_MAX)
      throw overloaded('This node', REMEMBERED_CONNECTIONS_MAX, 'connections');
  }
}

function fresh(callsPerSecond: number, nowMs: number): Connection {
  return { inFlight: 0, allowance: callsPerSecond, refilledAtMs: nowMs };
}

function refill(connection: Connection, callsPerSecond: number, nowMs: number): void {
  const earned = ((nowMs - connection.refilledAtMs) / 1000) * callsPerSecond;
  connection.allowance = Math.min(callsPerSecond, connection.allowance + earned);
  connection.refilledAtMs = nowMs;
}

function overloaded(who: string, max: number, what = 'calls in flight'): StrongroomError {
  return new StrongroomError(
    'request.overloaded',
    `${who} has ${max} ${what}, which is as much as it accepts; wait for answers, then retry`,
    { details: { max } },
  );
}

function rateLimited(who: string, perSecond: number): StrongroomError {
  const retryAfterMs = Math.ceil(1000 / perSecond);
  return new StrongroomError(
    'request.rate-limited',
    `${who} sends more than ${perSecond} calls a second; retry after ${retryAfterMs} ms`,
    { details: { retryAfterMs, perSecond } },
  );
}
