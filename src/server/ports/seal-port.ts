import { createHash, timingSafeEqual } from 'node:crypto';
import { type Cancellation, StrongroomError } from '../../lib/index.ts';
import type { Seal } from '../../seal/index.ts';
import { KEYRING_RECORD, ROOT_NAMESPACE, type SealPort } from '../../vault/index.ts';
import type { NodeReport } from '../cluster/peer-request.ts';
import type { SystemRecords } from '../cluster/system-records.ts';
import type { NodeConfig } from '../config/index.ts';
import type { KeyringKeeper } from '../keys/keyring-keeper.ts';
import { type AskPin, slotConfigOf } from '../keys/slots.ts';

const LIFT_RECORD = 'cluster/lift';
const WRITE_MS = 15_000;

/** By node id; undefined for one that does not answer. */
type Reports = ReadonlyMap<number, NodeReport | undefined>;

export interface SealPortParts {
  readonly seal: Seal;
  readonly keyring: KeyringKeeper;
  readonly records: SystemRecords;
  readonly config: NodeConfig;
  readonly askPin: AskPin;
  readonly node: number;
  readonly version: string;
  /** Every node's own view, this one's included. */
  readonly reports: (signal: Cancellation) => Promise<Reports>;
  /** Makes what a new vault starts with. */
  readonly bootstrap: () => Promise<{ readonly rootToken: string }>;
}

/** What the `seal.*` operations do. */
export function createSealPort(parts: SealPortParts): SealPort {
  const { seal, keyring, records } = parts;
  const status = async (signal: Cancellation) => {
    return statusOf(parts, await parts.reports(signal));
  };
  return {
    status: (context) => status(context.signal),
    async init(_context, request) {
      const counts = { shares: request.shares, threshold: request.threshold };
      const { root, shares } = await seal.initialize(counts, (key, id) => {
        return new Map([[KEYRING_RECORD, keyring.firstKeyring({ key, id }, ROOT_NAMESPACE)]]);
      });
      root[Symbol.dispose]();
      const { rootToken } = await parts.bootstrap();
      return { rootToken, shares: [...shares], clusterId: seal.status().clusterId };
    },
    async unseal(context, request) {
      if (request.reset) seal.resetShares();
      if (request.auto) {
        requireLifter(records, context.token);
        await seal.lift();
        await seal.unseal();
      }
      if (request.share !== '') await seal.giveShare(request.share);
      return status(context.signal);
    },
    async seal(context) {
      // Nobody can be asked for a policy while everything is sealed, so the token that sealed is
      // remembered by its hash: with it the seal can be lifted again.
      await records.write(
        new Map([[LIFT_RECORD, hashOf(context.token ?? '')]]),
        new Map(),
        AbortSignal.timeout(WRITE_MS),
      );
      await seal.sealByHand();
      return status(context.signal);
    },
    async addSlot(_context, request) {
      const wanted = configuredSlot(parts, request.name, request.kind);
      const config = slotConfigOf(wanted, parts.config, parts.askPin);
      const { shares, threshold } = request;
      const added = await seal.addSlot(config, { shares, threshold });
      const slot = seal.status().slots.find((one) => one.name === request.name);
      return { shares: [...added.shares], ...(slot === undefined ? {} : { slot }) };
    },
    async removeSlot(context, request) {
      requireAnotherWay(await parts.reports(context.signal), request.name);
      await seal.removeSlot(request.name);
      return {};
    },
    async forgetRejectedPins(_context, request) {
      await seal.forgetRejectedPins(request.slot);
      return {};
    },
    async rotateKeyring() {
      const epoch = await keyring.rotate();
      const { rootId } = seal.status();
      return { epoch, rootId, kekFingerprint: '', shares: [], dropped: [] };
    },
    async rotateRoot(_context, { compromise }) {
      const { rootId, dropped } = await keyring.alone(() =>
        seal.rotateRoot({
          compromise,
          reseal: (key, id) => new Map([[KEYRING_RECORD, keyring.resealed({ key, id })]]),
        }),
      );
      const epoch = keyring.barrier()?.epoch ?? 0;
      return { epoch, rootId, kekFingerprint: '', shares: [], dropped: [...dropped] };
    },
    async rotateKek(_context, request) {
      const { slot, ...counts } = request;
      const { fingerprint, shares } = await seal.rotateKek(slot, counts);
      return {
        epoch: keyring.barrier()?.epoch ?? 0,
        rootId: seal.status().rootId,
        kekFingerprint: fingerprint,
        shares: [...shares],
        dropped: [],
      };
    },
  };
}

function statusOf(parts: SealPortParts, reports: Reports) {
  const own = parts.seal.status();
  return {
    initialized: own.initialized,
    sealed: own.sealed,
    state: own.state,
    reason: own.reason,
    slots: [...own.slots],
    sharesNeeded: own.sharesNeeded,
    sharesGiven: own.sharesGiven,
    clusterId: own.clusterId,
    rootId: own.rootId,
    keyringEpoch: parts.keyring.barrier()?.epoch ?? 0,
    version: parts.version,
    manuallySealed: own.manuallySealed,
    node: parts.node,
    nodes: [...reports].map(([node, report]) => (report === undefined ? silent(node) : of(report))),
  };
}

const of = ({ node, seal }: NodeReport) => ({
  node,
  state: seal.state,
  restartReady: seal.restartReady,
  reason: seal.reason,
  lastProofAtMs: seal.lastProofAtMs,
  slots: seal.slots,
});

/** A node that is left out would look like one that is well. */
const silent = (node: number) => ({
  node,
  state: 'unreachable',
  restartReady: false,
  reason: 'it does not answer',
  lastProofAtMs: 0,
  slots: [],
});

/**
 * The seal looks at what the leader opens; whoever answers and opens nothing else would stay closed
 * after its next restart. @throws StrongroomError `seal.last-slot`
 */
function requireAnotherWay(reports: Reports, name: string): void {
  const stranded = [...reports.values()].filter((report) => {
    const rest = report?.seal.slots.filter((slot) => slot.name !== name) ?? [];
    const opens = rest.some(
      ({ kind, health }) => kind === 'shamir' || health === 'ok' || health === 'stale',
    );
    return rest.length > 0 && !opens;
  });
  if (stranded.length === 0) return;
  const nodes = stranded.map((report) => report?.node).join(', ');
  throw new StrongroomError(
    'seal.last-slot',
    `Cannot remove slot "${name}": no other one opens on node ${nodes}, which would not unseal again; mend it there first ("strongroom status" says what is wrong)`,
    { details: { slot: name } },
  );
}

/** How to reach a token is each node's own matter, so a slot is configured before it is added. */
function configuredSlot(parts: SealPortParts, name: string, kind: string) {
  const found = parts.config.seal.slots.find((slot) => slot.name === name);
  if (found?.kind === kind) return found;
  // A shamir slot needs nothing of the node.
  if (found === undefined && kind === 'shamir') return { name, kind: 'shamir' as const };
  throw new StrongroomError(
    'seal.slot-unknown',
    `Cannot add slot "${name}" of kind "${kind}": the leader's configuration has ${
      found === undefined ? 'no such slot' : `one of kind "${found.kind}"`
    }; add it to seal.slots on every node and restart them first`,
  );
}

function requireLifter(records: SystemRecords, token: string | undefined): void {
  const wanted = records.get(LIFT_RECORD)?.value;
  if (wanted !== undefined && token !== undefined && timingSafeEqual(wanted, hashOf(token))) return;
  throw new StrongroomError(
    'auth.permission-denied',
    'Cannot lift the seal: give the token that sealed the cluster, or enough shares of a shamir slot',
  );
}

/** Tokens have 256 random bits, so a plain hash cannot be searched. */
function hashOf(token: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update('strongroom lift\0').update(token).digest());
}
