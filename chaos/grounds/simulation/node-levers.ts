import type { Scheduler } from '../../simulation/scheduler.ts';
import type { SimulatedNode } from '../../simulation/simulated-node.ts';
import type { ClockChange, ClockLever, DiskLever, ProcessLever, SyncChange } from '../levers.ts';

const START_POLL_MS = 10;

type Machines = ReadonlyMap<string, SimulatedNode>;

/** Processes that are ended, started, stopped where they stand. */
export class ProcessSwitch implements ProcessLever {
  readonly #machines: Machines;
  readonly #scheduler: Scheduler;

  constructor(machines: Machines, scheduler: Scheduler) {
    this.#machines = machines;
    this.#scheduler = scheduler;
  }

  kill(node: string): Promise<void> {
    this.#of(node).kill();
    return Promise.resolve();
  }

  cutPower(node: string): Promise<void> {
    this.#of(node).powerCut();
    return Promise.resolve();
  }

  /** Resolves when it serves; a node that ends while it starts is left to who heals everything. */
  async start(node: string): Promise<void> {
    const machine = this.#of(node);
    machine.start();
    while (machine.phase === 'starting')
      await new Promise<void>((resolve) => this.#scheduler.after(START_POLL_MS, resolve));
  }

  pause(node: string): Promise<void> {
    this.#of(node).freeze();
    return Promise.resolve();
  }

  resume(node: string): Promise<void> {
    this.#of(node).thaw();
    return Promise.resolve();
  }

  async healAll(): Promise<void> {
    for (const name of this.#machines.keys()) {
      await this.resume(name);
      await this.start(name);
    }
  }

  #of(name: string): SimulatedNode {
    const node = this.#machines.get(name);
    if (node === undefined) throw new Error(`The simulation has no node ${name}`);
    return node;
  }
}

interface Laid<Change> {
  readonly nodes: readonly string[];
  readonly change: Change;
}

/** What clocks show beside the truth. */
export class ClockLayers implements ClockLever {
  readonly #machines: Machines;
  readonly #layers = new Map<string, Laid<ClockChange>>();

  constructor(machines: Machines) {
    this.#machines = machines;
  }

  lay(layer: string, nodes: readonly string[], change: ClockChange): Promise<void> {
    this.#layers.set(layer, { nodes, change });
    this.#apply();
    return Promise.resolve();
  }

  lift(layer: string): Promise<void> {
    if (this.#layers.delete(layer)) this.#apply();
    return Promise.resolve();
  }

  liftAll(): void {
    this.#layers.clear();
    this.#apply();
  }

  #apply(): void {
    for (const [name, machine] of this.#machines) {
      const mine = [...this.#layers.values()].filter(({ nodes }) => nodes.includes(name));
      const drift = mine.reduce((sum, { change }) => sum + (change.drift ?? 0), 0);
      const offsetMs = mine.reduce((sum, { change }) => sum + (change.offsetMs ?? 0), 0);
      machine.setClock(drift, offsetMs);
    }
  }
}

/** What fsync does. Files are not the simulation's: `chaos/simulation` breaks those by itself. */
export class SyncLayers implements DiskLever {
  readonly #layers = new Map<string, Laid<SyncChange>>();

  laySync(layer: string, nodes: readonly string[], change: SyncChange): Promise<void> {
    this.#layers.set(layer, { nodes, change });
    return Promise.resolve();
  }

  liftSync(layer: string): Promise<void> {
    this.#layers.delete(layer);
    return Promise.resolve();
  }

  liftAll(): void {
    this.#layers.clear();
  }

  of(node: string): { readonly fails: boolean; readonly slowerMs: number } {
    const mine = [...this.#layers.values()].filter(({ nodes }) => nodes.includes(node));
    return {
      fails: mine.some(({ change }) => change.fails === true),
      slowerMs: mine.reduce((sum, { change }) => sum + (change.delayMs ?? 0), 0),
    };
  }

  limit = notHere;
  unlimit = notHere;
  keep = notHere;
  putBack = notHere;
  forget = notHere;
  flipBits = notHere;
  cutTail = notHere;
  replace = notHere;
}

/** No fault asks for it: the ground does not name its capability. */
function notHere(): Promise<never> {
  return Promise.reject(new Error('The simulation has no such lever'));
}
