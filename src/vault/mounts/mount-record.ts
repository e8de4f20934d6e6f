import type { Uuid } from '../../barrier/index.ts';
import type { Area } from '../storage/storage.ts';

/** As stored, under the mount's path. */
export interface MountRecord {
  /** Hex. */
  readonly uuid: string;
  readonly type: string;
  readonly description: string;
  readonly options: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
}

/** A mount that a request was routed to. */
export interface MountRef {
  readonly uuid: Uuid;
  readonly path: string;
  readonly type: string;
  readonly options: Readonly<Record<string, string>>;
  /** One kind of the engine's records. */
  area(kind: number): Area;
}

export function mountRef(namespace: Uuid, path: string, record: MountRecord): MountRef {
  const uuid = new Uint8Array(Buffer.from(record.uuid, 'hex'));
  return {
    uuid,
    path,
    type: record.type,
    options: record.options,
    area: (kind) => ({ namespace, mount: uuid, kind }),
  };
}
