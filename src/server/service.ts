import { type ApiServer, Tls13Credentials } from '../api/index.ts';
import type { FileSink } from '../audit/index.ts';
import { kvEngine } from '../engines/index.ts';
import { createPinGuard } from '../hsm/index.ts';
import type { Cancellation } from '../lib/index.ts';
import { createSeal, type Seal } from '../seal/index.ts';
import type { Revision } from '../store/index.ts';
import { createVault, type RunningVault } from '../vault/index.ts';
import { openSinks, reopenOnSignal } from './audit-sinks.ts';
import type { NodeTls } from './certificates/index.ts';
import type { Closers } from './closers.ts';
import { Admission } from './cluster/admission.ts';
import { caKeyPlace } from './cluster/ca-key.ts';
import type { MembershipKeeper } from './cluster/membership-keeper.ts';
import type { NodeReport } from './cluster/peer-request.ts';
import { ReplicatedSealRecords } from './cluster/seal-records.ts';
import { auditFailure } from './fitness/fitness.ts';
import type { Foundation } from './foundation.ts';
import { KeyringKeeper } from './keys/keyring-keeper.ts';
import { slotConfigOf } from './keys/slots.ts';
import { forgetCaKey, readCaKey } from './open-identity.ts';
import { openApi } from './parts/api.ts';
import { backendOf } from './parts/backend.ts';
import { type Exchange, openExchange } from './parts/exchange.ts';
import { collectReports, reportOf } from './parts/reports.ts';
import { AuditKey, createAuditPort } from './ports/audit-port.ts';
import { createClusterPort } from './ports/cluster-port.ts';
import { createSealPort } from './ports/seal-port.ts';

const API_GRACE_MS = 3_000;

/** What a node offers: the vault behind its seal, to clients and to other nodes. */
export interface Service {
  readonly seal: Seal;
  readonly keyring: KeyringKeeper;
  readonly vault: RunningVault;
  readonly sinks: readonly FileSink[];
  readonly api: ApiServer;
  readonly apiCredentials: Tls13Credentials | undefined;
  readonly exchange: Exchange;
  /** Every node's own view; undefined for one that does not answer. */
  readonly reports: (signal: Cancellation) => Promise<ReadonlyMap<number, NodeReport | undefined>>;
  /** Whether it can serve clients now. */
  readonly healthy: () => boolean;
  /** What brings the Raft configuration to what the members ask for; set by the node's duties. */
  keeper: MembershipKeeper | undefined;
}

export async function openService(foundation: Foundation, closers: Closers): Promise<Service> {
  const { config, identity, clock, random, log, metrics, records, participation } = foundation;
  const late: { service?: Service; exchange?: Exchange } = {};
  const vaultOf = () => late.service?.vault;
  const keyring = closers.keep(
    'keyring',
    new KeyringKeeper({ records, clusterId: identity.clusterId, random, log }),
  );
  const sealRecords = new ReplicatedSealRecords(records, {
    isLeader: () => participation.isLeader(),
    askLeader: async (request) => void (await late.exchange?.askLeader(request)),
    async catchUp(signal) {
      const index = await participation.readIndex(signal);
      await foundation.store.whenApplied(index as Revision, signal);
    },
  });
  const seal = openSeal(foundation, keyring, sealRecords, closers);
  const auditKey = closers.keep('audit key', new AuditKey());
  keyring.onBarrier((barrier) => auditKey.use(barrier));
  const sinks = await openSinks({ config, node: identity.node, records, clock, log, metrics });
  for (const sink of sinks) closers.add('audit sink', () => sink.close());
  closers.keep('audit reopening', reopenOnSignal(sinks, log));
  const admission = openAdmission(foundation, keyring);
  const report = () => reportOf(foundation, seal, sinks);
  const exchange = closers.keep(
    'exchange',
    openExchange(foundation, { admission, sealRecords, report, vault: vaultOf }),
  );
  late.exchange = exchange;
  const reports = (signal: Cancellation) =>
    collectReports(
      foundation,
      report,
      (node, limit) => exchange.caller.report(node, limit),
      signal,
    );
  const backend = backendOf(
    foundation,
    keyring,
    (node, request) => exchange.caller.forward(node, request),
    vaultOf,
  );
  const vault = createVault({
    backend,
    seal: createSealPort({
      askPin: foundation.askPin,
      seal,
      keyring,
      records,
      config,
      node: identity.node,
      version: foundation.version,
      reports,
      bootstrap: () => bootstrap(foundation, admission, vaultOf()),
    }),
    cluster: createClusterPort({
      self: identity,
      caPem: foundation.tls.caPem,
      raft: participation.raft,
      keeper: () => late.service?.keeper,
      members: foundation.members,
      records,
      admission,
      leader: () => participation.leader(),
      report,
      reports,
    }),
    audit: createAuditPort({ sinks, key: auditKey, records }),
    sinks,
    engines: [kvEngine()],
    clock,
    random,
    log: log.child({ part: 'vault' }),
    metrics,
  });
  closers.add('vault', () => vault.stop());
  keyring.onBarrier((barrier) => {
    if (barrier === undefined) vault.forget();
  });
  const apiCredentials = config.api.insecurePlaintext
    ? undefined
    : new Tls13Credentials(apiIdentity(foundation.peers.tls()));
  const healthy = () =>
    keyring.barrier() !== undefined &&
    participation.position().healthy &&
    auditFailure(sinks) === '';
  const api = openApi(foundation, {
    vault,
    backend,
    keyring,
    admission,
    healthy,
    onAuditHealth: (listener) => onHealthOf(sinks, listener),
    credentials: apiCredentials,
  });
  const service: Service = {
    seal,
    keyring,
    vault,
    sinks,
    api,
    apiCredentials,
    exchange,
    reports,
    healthy,
    keeper: undefined,
  };
  late.service = service;
  await foundation.peers.listen();
  await api.listen(config.api.listen);
  closers.add('api', () => api.stop(API_GRACE_MS));
  vault.start();
  seal.start();
  return service;
}

/** What the API shows its clients; the CA goes along, so that a joining node can pin it. */
export function apiIdentity(tls: NodeTls) {
  return { certificate: `${tls.certificatePem}${tls.caPem}`, privateKey: tls.privateKeyPem };
}

function openSeal(
  foundation: Foundation,
  keyring: KeyringKeeper,
  records: ReplicatedSealRecords,
  closers: Closers,
): Seal {
  const { config, identity, clock, random, log, metrics } = foundation;
  const seal = createSeal({
    clusterId: identity.clusterId,
    nodeId: identity.node,
    slots: config.seal.slots.map((slot) => slotConfigOf(slot, config, foundation.askPin)),
    records,
    clock,
    random,
    log: log.child({ part: 'seal' }),
    metrics,
    pinGuard: createPinGuard(random),
    kept: foundation.kept,
  });
  closers.keep('seal', seal);
  seal.onUnsealed((key, id) => keyring.open({ key, id }));
  seal.onSealed(() => keyring.close());
  return seal;
}

function onHealthOf(sinks: readonly FileSink[], listener: () => void): () => void {
  const stops = sinks.map((sink) => sink.onHealthChange(listener));
  return () => {
    for (const stop of stops) stop();
  };
}

function openAdmission(foundation: Foundation, keyring: KeyringKeeper): Admission {
  const { records, members, identity, clock, random, log } = foundation;
  return new Admission({
    records,
    members,
    barrier: () => keyring.barrier(),
    caPem: foundation.tls.caPem,
    clusterId: identity.clusterId,
    caKeyPlace,
    clock,
    random,
    log,
  });
}

/** The first token, and the CA's key into the barrier: from then on no disk holds it in clear. */
async function bootstrap(
  foundation: Foundation,
  admission: Admission,
  vault: RunningVault | undefined,
): Promise<{ readonly rootToken: string }> {
  const { dataDir } = foundation.config;
  const caKey = await readCaKey(dataDir);
  if (caKey !== undefined) {
    await admission.keepCaKey(caKey);
    await forgetCaKey(dataDir);
  }
  if (vault === undefined) throw new Error('The vault is not open');
  return vault.bootstrap();
}
