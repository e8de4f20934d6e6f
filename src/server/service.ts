import { ServerCredentials } from '@grpc/grpc-js';
import { type ApiServer, createApiServer, type StreamCaller, Tls13Credentials } from '../api/index.ts';
import type { FileSink } from '../audit/index.ts';
import { kvEngine } from '../engines/index.ts';
import { createPinGuard } from '../hsm/index.ts';
import { StrongroomError } from '../lib/index.ts';
import { ForwardClient, ForwardServer } from '../replication/index.ts';
import { createSeal, type Seal } from '../seal/index.ts';
import {
  createVault,
  type RunningVault,
  type VaultAnswer,
  type VaultBackend,
  type VaultRequest,
} from '../vault/index.ts';
import { encodeHead, headRecord } from './audit-heads.ts';
import { openSinks } from './audit-sinks.ts';
import type { Closers } from './closers.ts';
import { Admission } from './cluster/admission.ts';
import { caKeyPlace } from './cluster/ca-key.ts';
import { encodeMember, memberRecord } from './cluster/members.ts';
import type { MembershipKeeper } from './cluster/membership-keeper.ts';
import type { NodeReport, PeerRequest } from './cluster/peer-request.ts';
import { fromBase64, ReplicatedSealRecords } from './cluster/seal-records.ts';
import type { Foundation } from './foundation.ts';
import { KeyringKeeper } from './keys/keyring-keeper.ts';
import { slotConfigOf } from './keys/slots.ts';
import { forgetCaKey, readCaKey } from './open-identity.ts';
import { answerPeers, PeerCaller, type PeerHandlers } from './peer-exchange.ts';
import { AuditKey, createAuditPort } from './ports/audit-port.ts';
import { createClusterPort } from './ports/cluster-port.ts';
import { createSealPort } from './ports/seal-port.ts';
import { SnapshotKeeper } from './snapshots/snapshot-keeper.ts';

const FORWARD_MS = 10_000;
const WRITE_MS = 15_000;
const API_GRACE_MS = 3_000;

/** What a node offers: the vault behind its seal, to clients and to other nodes. */
export interface Service {
  readonly seal: Seal;
  readonly keyring: KeyringKeeper;
  readonly vault: RunningVault;
  readonly admission: Admission;
  readonly sinks: readonly FileSink[];
  readonly api: ApiServer;
  readonly apiCredentials: Tls13Credentials | undefined;
  /** The node's own requests, to whoever leads; answered here when this node does. */
  readonly askLeader: (request: PeerRequest) => Promise<Readonly<Record<string, unknown>>>;
  /** What brings the Raft configuration to what the members ask for; set by the node's duties. */
  keeper: MembershipKeeper | undefined;
}
