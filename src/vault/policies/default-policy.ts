import type { Uuid } from '../../barrier/index.ts';
import { encodeRecord, systemArea, systemKind } from '../places.ts';
import { DEFAULT_POLICY, DEFAULT_POLICY_NAME } from '../policy/default-policies.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import type { StorageTransaction } from '../storage/storage.ts';
import type { PolicyRecord } from './policy-record.ts';

/** Writes the policy that a new namespace begins with. */
export async function putDefaultPolicy(
  storage: StorageTransaction,
  namespace: Uuid,
): Promise<void> {
  const record: PolicyRecord = { text: DEFAULT_POLICY, rules: await parsePolicy(DEFAULT_POLICY) };
  const area = systemArea(namespace, systemKind.policy);
  storage.put(area, [DEFAULT_POLICY_NAME], encodeRecord(record));
}
