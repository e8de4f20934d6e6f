export type { AuditRecord, AuditSink } from './audit.ts';
export { createVault, type RunningVault, type VaultOptions } from './create-vault.ts';
export {
  defineOperation,
  type Operation,
  type ReadContext,
  type WriteContext,
} from './define-operation.ts';
export type { EnginePlugin, RecordChange } from './engine-plugin.ts';
export type { MountRef } from './mounts/mount-record.ts';
export type {
  Capability,
  FieldSpec,
  MessageSpec,
  OperationContext,
  OperationFace,
  StorageFor,
} from './operation.ts';
export { folderSegments, pathSegments } from './paths.ts';
export { decodeRecord, encodeRecord, ROOT_NAMESPACE, SYSTEM_MOUNT, systemKind } from './places.ts';
export { formatPolicy, type PolicyVerdict, parsePolicy, testPolicy } from './policy/index.ts';
export type { AuditPort, ClusterPort, SealPort, VaultBackend } from './ports.ts';
export { pageFields, pageOf, revision } from './revision-field.ts';
export {
  type Area,
  KEYRING_RECORD,
  type Listing,
  type RewrapSweeper,
  rewrapSweeper,
  type StorageTransaction,
  type StorageView,
} from './storage/index.ts';
export type { TokenSurvival } from './tokens/token-survival.ts';
export type { Consistency, SecretEvent, Vault, VaultAnswer, VaultRequest } from './vault.ts';
