import type { Uuid } from '../../barrier/index.ts';

/** A namespace that a request was resolved to. */
export interface NamespaceRef {
  readonly uuid: Uuid;
  /** "" is the root; "team-a/db" a nested one. */
  readonly path: string;
}

/** As stored, under the namespace's path. */
export interface NamespaceRecord {
  /** Hex. */
  readonly uuid: string;
  readonly createdAtMs: number;
  /** Set once deletion began: from then on nothing in it is served. */
  readonly deleting?: true;
}
