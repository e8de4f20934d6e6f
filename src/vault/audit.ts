/** One line of the audit log before it is chained. */
export interface AuditRecord {
  readonly type: 'request' | 'response';
  /**
   * Its fields as the text of a JSON object without the braces, on one line; sensitive ones already
   * hashed. Text, because a request's two records share most of it, and every sink writes text.
   */
  readonly members: string;
}

/**
 * Where audit records go. Each sink chains its own records: every line carries the hash of the one
 * before it.
 */
export interface AuditSink {
  readonly name: string;
  readonly kind: string;
  readonly target: string;
  /**
   * Resolves when the record was written; records of one turn of the event loop share a write.
   * @throws StrongroomError `audit.sink-failed`: the request is then refused.
   */
  append(record: AuditRecord): Promise<void>;
  /** The chain's head, to be signed and committed. */
  head(): { readonly sequence: number; readonly hash: Uint8Array };
  close(): Promise<void>;
}
