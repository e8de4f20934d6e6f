export type { AuditRecord, AuditSink } from './audit.ts';
export type {
  Capability,
  FieldSpec,
  MessageSpec,
  OperationContext,
  OperationFace,
  StorageFor,
} from './operation.ts';
export type { Area, Listing, StorageTransaction, StorageView } from './storage/storage.ts';
export type { Consistency, SecretEvent, Vault, VaultAnswer, VaultRequest } from './vault.ts';
