import type { z } from 'zod';
import type { Random } from '../../src/lib/index.ts';
import type { Capability } from '../grounds/capabilities.ts';
import type { Cluster } from '../grounds/ground.ts';
import type { Levers } from '../grounds/levers.ts';

/**
 * How dangerous a fault is to a cluster that matters: what an operator allows for a game day.
 * `mild`: clients notice little. `disruptive`: service may stop while it lasts. `destructive`: it
 * may lose a node's data, which the cluster must make good.
 */
export type Danger = 'mild' | 'disruptive' | 'destructive';

/** One doing of one fault. */
export interface Injection<Parameters = unknown> {
  /** Of its own in the run: the name for layers and undo steps. */
  readonly id: string;
  readonly cluster: Cluster;
  /** The chosen nodes; empty when the fault has no target. */
  readonly nodes: readonly string[];
  readonly parameters: Parameters;
  readonly random: Random;
  /** The leader of the moment, if there is one. */
  readonly leader: string | undefined;
  readonly signal: AbortSignal;
  /** What the fault itself saw of whether it hit anything, where no log would tell. */
  readonly witness: (felt: boolean) => void;
  /**
   * Remembers how a step is undone; called before the step is done. Undone in reverse, all of them,
   * even when one fails. Must be safe to run twice, and when the step was never done.
   */
  readonly undo: (what: string, action: () => Promise<void>) => void;
}

/** A fault as the catalogue declares it, once. */
export interface Fault<Parameters = unknown> {
  readonly name: string;
  /** One line, for `chaos list`. */
  readonly summary: string;
  readonly danger: Danger;
  readonly targets: 'nodes' | 'maybe' | 'none';
  /** It stays until it is healed. */
  readonly lasting: boolean;
  readonly parameters: z.ZodType<Parameters>;
  /** What a ground must be able to do. */
  readonly needs: (parameters: Parameters) => readonly Capability[];
  /** What the log of a node says that felt it; absent: it leaves no trace there. */
  readonly felt?: RegExp;
  /** Does it; resolves when it is in effect. */
  readonly inject: (injection: Injection<Parameters>) => Promise<void>;
}

/** Keeps a fault's parameters typed where it is declared; the catalogue holds all of them as one. */
export function defineFault<Parameters>(fault: Fault<Parameters>): Fault {
  return {
    ...fault,
    needs: (parameters) => fault.needs(parameters as Parameters),
    inject: (injection) => fault.inject(injection as Injection<Parameters>),
  };
}

/** A lever that the fault's `needs` promise. @throws Error when the ground broke its promise. */
export function lever<Name extends keyof Levers>(
  cluster: Cluster,
  name: Name,
): NonNullable<Levers[Name]> {
  const found = cluster.levers[name];
  if (found === undefined) throw new Error(`The ground has no lever "${name}"`);
  return found as NonNullable<Levers[Name]>;
}
