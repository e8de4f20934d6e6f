import { type Cancellation, type Clock, hasCode, type Timer } from '../lib/index.ts';
import type { RaftNode } from '../raft/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { rewrapSweeper } from '../vault/index.ts';
import { auditSeed, HeadSigner } from './audit-heads/head-signer.ts';
import { HeadWatch } from './audit-heads/head-watch.ts';
import { createCertificateRequest, saveNodeTls, shouldRenew } from './certificates/index.ts';
import { writeContacts } from './cluster/contacts.ts';
import { encodeMember, memberRecord } from './cluster/members.ts';
import { MembershipKeeper } from './cluster/membership-keeper.ts';
import { leadOnlyFit } from './fitness/fit-leader.ts';
import { unfitness } from './fitness/fitness.ts';
import type { Foundation } from './foundation.ts';
import { DigestRounds, digestsOf } from './integrity/digest-rounds.ts';
import type { NodeAddresses } from './open-identity.ts';
import { apiIdentity, type Service } from './service.ts';

const ADVERTISE_MS = 5_000;
const RENEWAL_LOOK_MS = 3_600_000;
const SWEEP_MS = 15_000;
const SWEEP_RECORDS_PER_SECOND = 5_000;
const FOUNDING_MS = 500;
const FIT_LEADER_MS = 250;
const WRITE_MS = 10_000;
const ANSWER_MS = 5_000;

/** What a node does by itself, besides serving, as long as it runs. */
export async function startDuties(
  foundation: Foundation,
  service: Service,
  addresses: NodeAddresses,
): Promise<AsyncDisposable> {
  const { participation, members, records, identity, clock, log, metrics } = foundation;
  const duties: (Disposable | AsyncDisposable)[] = [];
  if (participation.raft !== undefined) {
    const keeper = new MembershipKeeper({
      raft: participation.raft,
      members: () => members.all(),
      clock,
      log,
    });
    service.keeper = keeper;
    members.onChange(() => keeper.nudge());
    duties.push(
      keeper,
      fitLeader(foundation, service, participation.raft),
      digestRounds(foundation, service, participation.raft),
    );
  }
  const { clusterId } = identity;
  duties.push(
    keepContacts(foundation),
    await HeadWatch.open({ records, clusterId, log: log.child({ part: 'audit heads' }), metrics }),
  );
  duties.push(
    new HeadSigner({
      sinks: service.sinks,
      identity: foundation.identity,
      seed: await auditSeed(foundation.config.dataDir),
      commit: async (head) => void (await service.exchange.askLeader({ kind: 'audit-head', head })),
      clock,
      log,
      metrics,
    }),
    new Repeated('advertise', ADVERTISE_MS, clock, log, () =>
      advertise(foundation, service, addresses),
    ),
    new Repeated('found', FOUNDING_MS, clock, log, () => enterFounder(foundation)),
    new Repeated('renew the certificate', RENEWAL_LOOK_MS, clock, log, () =>
      renew(foundation, service),
    ),
    new Repeated('rewrap', SWEEP_MS, clock, log, (signal) => sweep(foundation, service, signal)),
  );
  const stopLeading = participation.onLeading((leads) => {
    if (leads) service.vault.lead();
  });
  return {
    async [Symbol.asyncDispose]() {
      stopLeading();
      for (const duty of duties.reverse()) {
        if (Symbol.asyncDispose in duty) await duty[Symbol.asyncDispose]();
        else duty[Symbol.dispose]();
      }
    },
  };
}

/** On a voter: leadership goes to who can serve. */
function fitLeader(foundation: Foundation, service: Service, raft: RaftNode): Repeated {
  const { clock, log, metrics } = foundation;
  const { seal, sinks } = service;
  const look = leadOnlyFit({
    raft,
    unfitness: () => unfitness(seal, sinks),
    reports: async (signal) => (await service.reports(signal)).values(),
    clock,
    log,
    metrics,
  });
  return new Repeated('lead only while fit', FIT_LEADER_MS, clock, log, async (signal) => {
    await look(signal);
    return 'again';
  });
}

/** On the leader: has the states of the voters compared. */
function digestRounds(foundation: Foundation, service: Service, raft: RaftNode): Repeated {
  const { participation, integrity, identity, store, records, clock, log, metrics } = foundation;
  const { compareEveryMs, verifyEveryMs } = foundation.config.integrity;
  const rounds = new DigestRounds({
    store,
    records,
    isLeader: () => participation.isLeader(),
    voters: () => raft.status().membership.voters,
    async ask(node, asked) {
      const limit = AbortSignal.timeout(ANSWER_MS);
      if (node === identity.node) return integrity.digests(asked, limit);
      const { caller } = service.exchange;
      return digestsOf(await caller.ask(node, { kind: 'digests', ...asked }, limit));
    },
    verifyEveryMs,
    clock,
    log: log.child({ part: 'integrity' }),
    metrics,
  });
  return new Repeated('compare states', compareEveryMs, clock, log, async () => {
    await rounds.round();
    return 'again';
  });
}

/** Keeps on the disk whom this node knows. */
function keepContacts({ config, members, log }: Foundation): Disposable {
  let writing = Promise.resolve();
  const write = () => {
    const known = members.all();
    writing = writing
      .then(() => writeContacts(config.dataDir, known))
      .catch((error: unknown) => {
        log.warn({ error: String(error) }, 'Could not keep the list of members on the disk');
      });
  };
  write();
  return { [Symbol.dispose]: members.onChange(write) };
}

/** Runs a duty again and again until it says that it is done. A failure is tried again. */
class Repeated implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(
    name: string,
    everyMs: number,
    clock: Clock,
    log: Logger,
    duty: (signal: Cancellation) => Promise<'again' | 'done'>,
  ) {
    this.#clock = clock;
    const run = async () => {
      let outcome: 'again' | 'done' = 'again';
      try {
        outcome = await duty(this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        // Without a leader or keys there is nothing to be done yet.
        if (
          !hasCode(
            error,
            'raft.no-leader',
            'raft.not-leader',
            'raft.outcome-unknown',
            'seal.sealed',
          )
        )
          log.info({ duty: name, error: String(error) }, 'A duty could not be done yet');
      }
      if (outcome === 'again' && !this.#stop.signal.aborted) schedule(everyMs);
    };
    const schedule = (delayMs: number) => {
      this.#timer = this.#clock.after(delayMs, () => {
        this.#running = run();
      });
    };
    schedule(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    await this.#running;
  }
}

/** The founder enters itself as the first member, once it leads. */
async function enterFounder({
  identity,
  members,
  participation,
  records,
}: Foundation): Promise<'again' | 'done'> {
  const [self] = identity.contacts;
  if (!identity.founder || self === undefined) return 'done';
  if (records.get(memberRecord(identity.node)) !== undefined) return 'done';
  if (!participation.isLeader()) return 'again';
  await records.write(
    new Map([[memberRecord(identity.node), encodeMember(self)]]),
    new Map([[memberRecord(identity.node), 0 as never]]),
    AbortSignal.timeout(WRITE_MS),
  );
  await members.reload();
  return 'done';
}

/** Tells the cluster when this node has moved, or has another version than before. */
async function advertise(
  { identity, members, version, participation }: Foundation,
  service: Service,
  addresses: NodeAddresses,
): Promise<'again' | 'done'> {
  const known = members.get(identity.node);
  if (known === undefined || participation.position().applied === 0) return 'again';
  const now = {
    apiAddress: addresses.api,
    peerAddress: addresses.peer,
    metricsAddress: addresses.metrics,
    version,
  };
  const isKnown = Object.entries(now).every(
    ([name, value]) => known[name as keyof typeof now] === value,
  );
  if (!isKnown) await service.exchange.askLeader({ kind: 'advertise', ...now });
  return isKnown ? 'done' : 'again';
}

/** A new certificate in the last third of the old one's life, put in while the node runs. */
async function renew(foundation: Foundation, service: Service): Promise<'again'> {
  const { config, peers, clock, log } = foundation;
  const { caPem, certificatePem } = peers.tls();
  if (!shouldRenew(certificatePem, clock.wallMs())) return 'again';
  const request = await createCertificateRequest({ name: config.name });
  const answer = await service.exchange.askLeader({
    kind: 'renew-certificate',
    csr: request.csrPem,
  });
  const tls = {
    certificatePem: String(answer['certificate']),
    privateKeyPem: request.privateKeyPem,
    caPem,
  };
  await saveNodeTls(config.dataDir, tls);
  peers.renewed(tls);
  service.apiCredentials?.replace(apiIdentity(tls));
  log.info({}, 'Renewed the certificate');
  return 'again';
}

/** On the leader, while older keyring epochs are about: seals what is under them anew. */
async function sweep(
  foundation: Foundation,
  service: Service,
  signal: Cancellation,
): Promise<'again'> {
  const { participation, store, clock, log, metrics } = foundation;
  const barrier = service.keyring.barrier();
  if (barrier === undefined || !participation.isLeader()) return 'again';
  if (service.keyring.oldEpochs().length === 0) return 'again';
  const sweeper = rewrapSweeper({
    view: () => store.view(),
    barrier,
    commit: (transaction, limit) => participation.commit(transaction, limit),
    clock,
    log,
    metrics,
    recordsPerSecondMax: SWEEP_RECORDS_PER_SECOND,
  });
  const { isClean, epoch } = await sweeper.sweep(signal);
  if (isClean) await service.keyring.dropOldEpochs(epoch);
  return 'again';
}
