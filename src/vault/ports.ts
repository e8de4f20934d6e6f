import type { Barrier, Uuid } from '../barrier/index.ts';
import type { Cancellation } from '../lib/index.ts';
import type { Store, Transaction, TransactionResult } from '../store/index.ts';
import type { CallContext } from './define-operation.ts';
import type { AnswerOf, MessageOf } from './message.ts';
import type { MessageSpec } from './operation.ts';
import type * as auditSpecs from './port-operations/audit-messages.ts';
import type * as clusterSpecs from './port-operations/cluster-messages.ts';
import type * as sealSpecs from './port-operations/seal-messages.ts';
import type { Consistency, VaultAnswer, VaultRequest } from './vault.ts';

/** What the vault stands on, handed in by the server. */
export interface VaultBackend {
  /** The local replicated state. */
  readonly store: Store;
  /** Undefined while sealed. A new object after each unseal: caches are dropped by that. */
  barrier(): Barrier | undefined;
  /**
   * Whether this node leads and has applied an entry of its own term. Before that a new leader's
   * local state may lack what its predecessor acknowledged, such as a revocation.
   */
  isLeader(): boolean;
  /**
   * Proposes through Raft and waits until it is applied here.
   * @throws StrongroomError `raft.not-leader`, `raft.outcome-unknown`
   */
  commit(transaction: Transaction, signal: Cancellation): Promise<TransactionResult>;
  /** Makes the local store as fresh as asked for. @throws StrongroomError when it cannot in time. */
  freshen(consistency: Consistency, signal: Cancellation): Promise<void>;
  /** Has the leader handle the request. */
  forward(request: VaultRequest): Promise<VaultAnswer>;
  /** Keys of namespaces in the keyring. Each resolves once the change is committed and in use. */
  readonly namespaceKeys: {
    create(namespace: Uuid): Promise<void>;
    /** Destroying one that is gone does nothing. */
    destroy(namespace: Uuid): Promise<void>;
  };
}

type Reply<Spec extends MessageSpec> = Promise<AnswerOf<Spec> & { readonly revision?: number }>;

/** What the operations `seal.*` call. */
export interface SealPort {
  status(context: CallContext): Reply<typeof sealSpecs.sealStatusResponse>;
  init(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealInitRequest>,
  ): Reply<typeof sealSpecs.sealInitResponse>;
  unseal(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealUnsealRequest>,
  ): Reply<typeof sealSpecs.sealStatusResponse>;
  seal(context: CallContext): Reply<typeof sealSpecs.sealStatusResponse>;
  addSlot(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealAddSlotRequest>,
  ): Reply<typeof sealSpecs.sealAddSlotResponse>;
  removeSlot(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealRemoveSlotRequest>,
  ): Reply<typeof sealSpecs.sealChangeResponse>;
  forgetRejectedPins(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealForgetRejectedPinsRequest>,
  ): Reply<typeof sealSpecs.sealChangeResponse>;
  rotateKeyring(context: CallContext): Reply<typeof sealSpecs.sealRotateResponse>;
  rotateRoot(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealRotateRootRequest>,
  ): Reply<typeof sealSpecs.sealRotateResponse>;
  rotateKek(
    context: CallContext,
    request: MessageOf<typeof sealSpecs.sealRotateKekRequest>,
  ): Reply<typeof sealSpecs.sealRotateResponse>;
}

/** What the operations `cluster.*` call. */
export interface ClusterPort {
  status(context: CallContext): Reply<typeof clusterSpecs.clusterStatusResponse>;
  createJoinToken(
    context: CallContext,
    request: MessageOf<typeof clusterSpecs.createJoinTokenRequest>,
  ): Reply<typeof clusterSpecs.createJoinTokenResponse>;
  join(
    context: CallContext,
    request: MessageOf<typeof clusterSpecs.joinRequest>,
  ): Reply<typeof clusterSpecs.joinResponse>;
  promote(context: CallContext, request: Member): Reply<typeof clusterSpecs.changeResponse>;
  demote(context: CallContext, request: Member): Reply<typeof clusterSpecs.changeResponse>;
  remove(context: CallContext, request: Member): Reply<typeof clusterSpecs.changeResponse>;
  stepDown(context: CallContext, request: Member): Reply<typeof clusterSpecs.changeResponse>;
}

type Member = MessageOf<typeof clusterSpecs.memberRequest>;

/** What the operations `audit.*` call. */
export interface AuditPort {
  list(context: CallContext): Reply<typeof auditSpecs.auditListResponse>;
  hash(
    context: CallContext,
    request: MessageOf<typeof auditSpecs.auditHashRequest>,
  ): Reply<typeof auditSpecs.auditHashResponse>;
  heads(
    context: CallContext,
    request: MessageOf<typeof auditSpecs.auditHeadsRequest>,
  ): Reply<typeof auditSpecs.auditHeadsResponse>;
  /** The keyed hash that stands for a sensitive value in an audit record. Synchronous. */
  hashOf(value: string | Uint8Array): string;
}
