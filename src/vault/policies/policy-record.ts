import type { PolicyRule } from '../policy/policy-rule.ts';

/** A policy as stored, under its name. */
export interface PolicyRecord {
  /** As it was given, byte for byte. */
  readonly text: string;
  /** Parsed when it was written, so that no request waits for the parser. */
  readonly rules: readonly PolicyRule[];
}
