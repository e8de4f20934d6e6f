import type { Capability } from '../operation.ts';
import { Acl } from './acl.ts';
import { parsePolicy } from './parse-policy.ts';

export interface PolicyVerdict {
  readonly allowed: boolean;
  /** The path of the one rule that decided; absent when none matches. */
  readonly rule: string | undefined;
  /** Everything that may be done there. */
  readonly capabilities: readonly string[];
}

/**
 * What a policy alone would say, without a server. Parameter rules are asked with no parameters.
 * @throws StrongroomError `policy.invalid`
 */
export async function testPolicy(
  text: string,
  path: string,
  capability: Capability,
): Promise<PolicyVerdict> {
  const acl = Acl.of([await parsePolicy(text)]);
  const bare = path.replace(/^\//, '');
  return {
    allowed: acl.allows({ path: bare, capability, sudo: false, parameters: () => ({}) }),
    rule: acl.decidingRule(bare, capability),
    capabilities: acl.capabilities(bare),
  };
}
