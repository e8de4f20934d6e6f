import type { Operation } from './define-operation.ts';
import type { MountRef } from './mounts/mount-record.ts';
import type { StorageTransaction } from './storage/storage.ts';
import type { SecretEvent } from './vault.ts';

/** A change of one record of an engine. */
export interface RecordChange {
  readonly path: readonly string[];
  /** Undefined when the record was deleted. */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

/** A secrets engine: a type of mount, its operations, and what its records mean to a watcher. */
export interface EnginePlugin {
  readonly type: string;
  /** Each has a request field `mount`. Declare them with `engine` set to the plug-in's type. */
  readonly operations: readonly Operation[];
  /** Kinds of records it writes: all go when the mount goes. */
  readonly recordKinds: readonly number[];
  /**
   * Writes what a new mount needs.
   * @throws StrongroomError `request.invalid` for options that it does not know.
   */
  mounted(storage: StorageTransaction, mount: MountRef, nowMs: number): void;
  readonly watching?: {
    /** The kind whose changes are told. */
    readonly kind: number;
    /** That path for the audit log, of the fields `mount` and `path`. */
    readonly pathTemplate: string;
    /** The path that a watcher must be allowed to read. */
    policyPath(mount: MountRef, folder: string): string;
    events(change: RecordChange): readonly SecretEvent[];
  };
}
