/**
 * What a ground lets faults do, one lever for each kind of thing. Each method is idempotent, and
 * writes down how it is undone before it acts (see `HealPlan`).
 */
export interface Levers {
  readonly process?: ProcessLever;
  readonly network?: NetworkLever;
}

export interface ProcessLever {
  /** SIGKILL, or its like. Resolves when the node is gone. */
  kill(node: string): Promise<void>;
  /** Starts a node that was ended, on the data it has; resolves when it listens. */
  start(node: string): Promise<void>;
  /** SIGSTOP, or its like. */
  pause(node: string): Promise<void>;
  resume(node: string): Promise<void>;
}

/** What happens to bytes on their way over one direction of a link. */
export interface LinkShape {
  /** `drop`: nothing arrives and nobody is told. `refuse`: connections are reset. */
  readonly blocked?: 'drop' | 'refuse';
  readonly delayMs?: number;
  /** Uniform, either way. */
  readonly jitterMs?: number;
  readonly lossRatio?: number;
  readonly duplicateRatio?: number;
  readonly reorderRatio?: number;
  readonly corruptRatio?: number;
  readonly bytesPerSecond?: number;
}

export interface LinkChange {
  readonly from: string;
  readonly to: string;
  readonly shape: LinkShape;
}

/**
 * Links between nodes, each direction by itself. Faults lay layers over them; what a link does is
 * all its layers together, so that lifting one leaves the others as they are.
 */
export interface NetworkLever {
  /** Lays a layer, or replaces the layer of that name. */
  lay(layer: string, changes: readonly LinkChange[]): Promise<void>;
  /** Lifts a layer; one that is not there is no error. */
  lift(layer: string): Promise<void>;
}
