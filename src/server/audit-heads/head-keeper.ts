import { type Clock, KeyedMutex, StrongroomError, utf8Bytes, utf8Text } from '../../lib/index.ts';
import type { Revision } from '../../store/index.ts';
import type { CommittedHead } from '../cluster/peer-request.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import { whyWrong } from './head-check.ts';
import {
  encodeKept,
  HEADS_A_SINK_MAX,
  headKeyRecord,
  headsOfSink,
  isOfSame,
  type KeptHead,
  parseKept,
  placesOf,
} from './head-records.ts';

const WRITE_MS = 15_000;

/**
 * On the leader: has the heads of nodes' audit chains committed, if they are right. One that is not
 * is refused, and what was committed before stays.
 */
export class HeadKeeper {
  readonly #records: SystemRecords;
  readonly #clusterId: string;
  readonly #clock: Clock;
  readonly #oneByOne = new KeyedMutex();

  constructor(options: {
    readonly records: SystemRecords;
    readonly clusterId: string;
    readonly clock: Clock;
  }) {
    this.#records = options.records;
    this.#clusterId = options.clusterId;
    this.#clock = options.clock;
  }

  /**
   * @param from who sent it, as its certificate proves.
   * @throws StrongroomError `audit.head-refused`
   */
  async accept(from: number, head: CommittedHead): Promise<void> {
    // A node vouches for its own chains only.
    if (head.node !== from) throw refused(head, `node ${from} sent it`);
    await this.#oneByOne.run(String(head.node), () => this.#accept(head));
  }

  async #accept(head: CommittedHead): Promise<void> {
    const found = await this.#records.list(headsOfSink(head.node, head.sink), HEADS_A_SINK_MAX);
    const kept = found.flatMap(({ value }) => parseKept(value) ?? []);
    const newest = newestOf(kept);
    const key = this.#records.get(headKeyRecord(head.node));
    const publicKey = key === undefined ? undefined : utf8Text(key.value);
    const why = whyWrong(head, this.#clusterId, { publicKey, newest: newest?.head });
    if (why !== undefined) throw refused(head, why);
    if (newest?.head.sequence === head.sequence) return;
    const nowMs = this.#clock.wallMs();
    const count = (newest?.count ?? -1) + 1;
    const places = placesOf(head, nowMs, count);
    const bytes = encodeKept({ head, keptAtMs: nowMs, count });
    const changes = new Map([[places.recent, bytes]]);
    if (key === undefined) changes.set(headKeyRecord(head.node), utf8Bytes(head.publicKey));
    for (const span of ['hour', 'day'] as const) {
      const before = this.#records.get(places[span]);
      const keptBefore = before === undefined ? undefined : parseKept(before.value);
      if (keptBefore !== undefined && isOfSame(span, keptBefore.keptAtMs, nowMs)) continue;
      changes.set(places[span], bytes);
    }
    const expected = new Map([[headKeyRecord(head.node), key?.revision ?? (0 as Revision)]]);
    const limit = AbortSignal.timeout(WRITE_MS);
    if (await this.#records.write(changes, expected, limit)) return;
    throw new StrongroomError(
      'store.conflict',
      `Cannot commit an audit head of node ${head.node}: its key was changed meanwhile`,
    );
  }
}

/** The newest of the heads of one chain. */
export function newestOf(kept: readonly KeptHead[]): KeptHead | undefined {
  return kept.reduce<KeptHead | undefined>(
    (best, one) => (best === undefined || one.count > best.count ? one : best),
    undefined,
  );
}

function refused(head: CommittedHead, why: string): StrongroomError {
  return new StrongroomError(
    'audit.head-refused',
    `Cannot commit the head of audit chain "${head.sink}" of node ${head.node}: ${why}. Verify that node's audit files`,
    { details: { node: head.node, sequence: head.sequence } },
  );
}
