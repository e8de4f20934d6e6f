import { verifyHead } from '../../audit/index.ts';
import type { CommittedHead } from '../cluster/peer-request.ts';
import { signedHead } from './head-records.ts';

/** What is known of a chain when another head of it comes. */
export interface KnownChain {
  /** Base64; undefined before the node's first head. */
  readonly publicKey: string | undefined;
  readonly newest: Pick<CommittedHead, 'sequence' | 'head' | 'committedAtMs'> | undefined;
}

/** Why a head must not be believed; undefined when it may be. */
export function whyWrong(
  head: CommittedHead,
  clusterId: string,
  known: KnownChain,
): string | undefined {
  if (!isSigned(head, clusterId)) return 'its signature does not fit';
  if (known.publicKey !== undefined && known.publicKey !== head.publicKey) {
    return 'it is signed with another key than the heads before it';
  }
  const { newest } = known;
  if (newest === undefined) return undefined;
  if (head.sequence < newest.sequence) {
    return `it goes back to record ${head.sequence}, record ${newest.sequence} is committed`;
  }
  if (head.sequence === newest.sequence && head.head !== newest.head) {
    return `it has another hash for record ${head.sequence} than was committed`;
  }
  return undefined;
}

function isSigned(head: CommittedHead, clusterId: string): boolean {
  try {
    return verifyHead(signedHead(head, clusterId));
  } catch {
    // Not even numbers and keys of the right form.
    return false;
  }
}
