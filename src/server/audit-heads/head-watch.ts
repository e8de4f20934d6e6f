import { utf8Text } from '../../lib/index.ts';
import type { Counter, Logger, Metrics } from '../../telemetry/index.ts';
import type { CommittedHead } from '../cluster/peer-request.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import { whyWrong } from './head-check.ts';
import { HEADS_PREFIX, headKeyRecord, headsOfSink, parseKept } from './head-records.ts';

const HEADS_MAX = 100_000;

/**
 * On every node: checks each head that the log brings, whoever proposed it. The state machine knows
 * no signatures and takes it in any case; but a leader that had a wrong one committed, or altered a
 * good one, does not stay unseen.
 */
export class HeadWatch implements Disposable {
  readonly #records: SystemRecords;
  readonly #clusterId: string;
  readonly #log: Logger;
  readonly #wrong: Counter;
  readonly #unsubscribe: () => void;
  readonly #newest = new Map<string, CommittedHead>();

  private constructor(options: HeadWatchOptions) {
    this.#records = options.records;
    this.#clusterId = options.clusterId;
    this.#log = options.log;
    this.#wrong = options.metrics.counter({
      name: 'strongroom_audit_wrong_heads_total',
      help: 'Committed audit heads that are not rightly signed, or go back in their chain',
    });
    this.#unsubscribe = options.records.onChange(HEADS_PREFIX, (names) => {
      for (const name of names) this.#look(name);
    });
  }

  /** Begins with what is committed already; that is checked too. */
  static async open(options: HeadWatchOptions): Promise<HeadWatch> {
    const watch = new HeadWatch(options);
    const known = await options.records.list(HEADS_PREFIX, HEADS_MAX);
    const heads = known.flatMap(({ name, value }) => {
      const kept = parseKept(value);
      return kept === undefined ? [] : [{ name, kept }];
    });
    heads.sort((a, b) => a.kept.count - b.kept.count);
    for (const { name, kept } of heads) watch.#check(name, kept.head, { isOld: true });
    return watch;
  }

  #look(name: string): void {
    const found = this.#records.get(name);
    if (found === undefined) return;
    const kept = parseKept(found.value);
    if (kept === undefined) this.#tell(name, 'it cannot be read');
    else this.#check(name, kept.head, { isOld: false });
  }

  #check(name: string, head: CommittedHead, { isOld }: { readonly isOld: boolean }): void {
    const chain = headsOfSink(head.node, head.sink);
    if (!name.startsWith(chain)) return this.#tell(name, 'it is kept as that of another chain');
    const key = this.#records.get(headKeyRecord(head.node));
    const newest = this.#newest.get(chain);
    const isBehind = isOld && newest !== undefined && head.sequence < newest.sequence;
    const why = whyWrong(head, this.#clusterId, {
      publicKey: key === undefined ? undefined : utf8Text(key.value),
      newest: isBehind ? undefined : newest,
    });
    if (why !== undefined) this.#tell(name, why);
    else if (!isBehind) this.#newest.set(chain, head);
  }

  #tell(name: string, why: string): void {
    this.#wrong.add();
    this.#log.error(
      { code: 'audit.head-refused', record: name, why },
      'A committed audit head is wrong: verify the audit files of that node',
    );
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }
}

interface HeadWatchOptions {
  readonly records: SystemRecords;
  readonly clusterId: string;
  readonly log: Logger;
  readonly metrics: Metrics;
}
