import type { HsmLever, HsmLinkChange } from '../levers.ts';
import type { HsmWays } from './hsm-ways.ts';
import type { ClusterToken } from './seal-slots.ts';

/** Faults of a cluster's token and of each node's way to it. */
export class HsmFaults implements HsmLever {
  readonly #token: ClusterToken;
  readonly #ways: HsmWays;
  #isAway = false;

  constructor(token: ClusterToken, ways: HsmWays) {
    this.#token = token;
    this.#ways = ways;
  }

  lay(layer: string, nodes: readonly string[], change: HsmLinkChange): Promise<void> {
    return this.#ways.lay(layer, nodes, change);
  }

  lift(layer: string): Promise<void> {
    return this.#ways.lift(layer);
  }

  endSessions(nodes: readonly string[]): Promise<number> {
    return this.#ways.breakOff(nodes);
  }

  // The server forks a child for each connection, which goes on with what it has read: so each
  // change of the token ends them.
  async removeToken(): Promise<void> {
    if (this.#isAway) return;
    await this.#token.remove();
    this.#isAway = true;
    await this.endSessions(this.#ways.nodes);
  }

  async returnToken(): Promise<void> {
    if (!this.#isAway) return;
    await this.#token.putBack();
    this.#isAway = false;
    await this.endSessions(this.#ways.nodes);
  }

  async wrongPin(node: string): Promise<void> {
    await this.#token.wrongPin(node);
    await this.endSessions([node]);
  }

  async rightPin(node: string): Promise<void> {
    await this.#token.rightPin(node);
    await this.endSessions([node]);
  }

  async liftAll(): Promise<void> {
    await this.#ways.liftAll();
    await this.returnToken();
    for (const node of this.#ways.nodes) await this.#token.rightPin(node);
  }
}
