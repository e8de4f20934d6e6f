import { lookup } from 'node:dns/promises';
import { type Clock, systemClock } from '../../lib/index.ts';

/** As long as an answer is good without asking again. */
const FRESH_MS = 5_000;
/** As long as a failure is: a name that just appeared must be found soon. */
const FAILED_MS = 1_000;
/** What a caller waits for news of a name whose addresses are known. */
const PATIENCE_MS = 250;
const HOSTS_MAX = 1_000;

type Lookup = (host: string) => Promise<readonly string[]>;

interface Known {
  /** The last that were found; none when there were never any. */
  readonly addresses: readonly string[];
  readonly askedAtMs: number;
  readonly failure?: unknown;
}

/**
 * Addresses of host names, for all connections of a node together. The system looks up two names at a
 * time, and one whose owner is gone may take ten seconds and more: asked by each connection anew, the
 * names of dead nodes would keep the living ones from one another. So each name is asked for once at a
 * time, and what was found before stands in for an answer that is late or fails.
 */
export class HostNames {
  readonly #clock: Clock;
  readonly #lookup: Lookup;
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, Promise<readonly string[]>>();

  constructor(clock: Clock = systemClock, lookupOne: Lookup = systemLookup) {
    this.#clock = clock;
    this.#lookup = lookupOne;
  }

  /** @throws what the lookup failed with, where no addresses were ever found. */
  async addressesOf(host: string): Promise<readonly string[]> {
    const known = this.#known.get(host);
    const ageMs = known === undefined ? 0 : this.#clock.monotonicMs() - known.askedAtMs;
    if (known !== undefined && ageMs < (known.failure === undefined ? FRESH_MS : FAILED_MS)) {
      if (known.addresses.length > 0) return known.addresses;
      throw known.failure;
    }
    const asked = this.#pending.get(host) ?? this.#ask(host);
    if (known === undefined || known.addresses.length === 0) return asked;
    return this.#unlessLate(asked, known.addresses);
  }

  #ask(host: string): Promise<readonly string[]> {
    const asked = this.#lookup(host).then(
      (addresses) => this.#keep(host, { addresses, askedAtMs: this.#clock.monotonicMs() }),
      (failure: unknown) => {
        const addresses = this.#known.get(host)?.addresses ?? [];
        this.#keep(host, { addresses, askedAtMs: this.#clock.monotonicMs(), failure });
        if (addresses.length === 0) throw failure;
        return addresses;
      },
    );
    this.#pending.set(host, asked);
    return asked;
  }

  #keep(host: string, known: Known): readonly string[] {
    this.#pending.delete(host);
    this.#known.delete(host);
    this.#known.set(host, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > HOSTS_MAX && oldest !== undefined) this.#known.delete(oldest);
    return known.addresses;
  }

  #unlessLate(
    asked: Promise<readonly string[]>,
    before: readonly string[],
  ): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(PATIENCE_MS, () => resolve(before));
      asked.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map((one) => one.address);
}
