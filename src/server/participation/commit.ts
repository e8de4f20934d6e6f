import type { Cancellation } from '../../lib/index.ts';
import type { RaftNode } from '../../raft/index.ts';
import { encodeTransaction, type Transaction, type TransactionResult } from '../../store/index.ts';

/**
 * One transaction through the log. @throws StrongroomError `raft.not-leader`,
 * `raft.outcome-unknown`, `raft.overloaded`, `store.transaction-too-large`
 */
export async function commitThrough(
  raft: RaftNode,
  transaction: Transaction,
  signal: Cancellation,
): Promise<TransactionResult> {
  const { result } = await raft.propose(encodeTransaction(transaction), { signal });
  return result as TransactionResult;
}
