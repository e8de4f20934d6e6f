import type { TraceEvent } from '../../src/raft/core/index.ts';
import { ModelCluster, Violation } from './model-cluster.ts';

export type TraceVerdict =
  | { readonly accepted: true }
  | {
      readonly accepted: false;
      /** Which event does not fit, counted from 0. */
      readonly at: number;
      readonly because: string;
    };

/**
 * Replays a trace through a reference model of Raft: every event must be a step that the model
 * allows, leave the state that the event names, and keep election safety, log matching, leader
 * completeness, state machine safety and durability of what was said. Each line names its step, so
 * nothing is searched. It stands in for TLC with etcd's `Traceetcdraft.tla`, over the same format,
 * and also takes duplicated messages and writes that were lost in a crash.
 */
export function checkTrace(events: readonly TraceEvent[]): TraceVerdict {
  const model = new ModelCluster();
  for (const [at, event] of events.entries()) {
    try {
      model.follow(event);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return {
        accepted: false,
        at,
        because: `${event.name} of node ${event.nid}: ${error.message}`,
      };
    }
  }
  return { accepted: true };
}
