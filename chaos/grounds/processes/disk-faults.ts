import { join } from 'node:path';
import type { Random } from '../../../src/lib/index.ts';
import type { DataPart, DiskLever, SyncChange } from '../levers.ts';
import { DataCopies } from './data-copies.ts';
import type { DiskSpace } from './disk-space.ts';
import type { LocalCluster } from './local-cluster.ts';
import type { NodeFaults } from './node-faults.ts';
import type { NodeProcess } from './node-process.ts';

interface DiskParts {
  readonly local: LocalCluster;
  readonly faults: NodeFaults;
  readonly space: DiskSpace;
  readonly node: (name: string) => NodeProcess;
}

/** The disks of local processes: their data directories, and what fsync says of them. */
export class DiskFaults implements DiskLever {
  readonly #parts: DiskParts;
  readonly #copies: DataCopies;

  constructor(parts: DiskParts) {
    this.#parts = parts;
    this.#copies = new DataCopies(join(parts.local.folder, 'copies'), (name) => {
      const node = parts.node(name);
      // Files that change while they are copied would be no disk that ever was.
      if (node.running) throw new Error(`${name} is running: its disk is left alone`);
      return node.dataDir;
    });
  }

  limit(layer: string, nodes: readonly string[], freeBytes: number): Promise<void> {
    return this.#parts.space.limit(layer, nodes, freeBytes);
  }

  unlimit(layer: string): Promise<void> {
    return this.#parts.space.unlimit(layer);
  }

  laySync(layer: string, nodes: readonly string[], change: SyncChange): Promise<void> {
    return this.#parts.faults.laySync(layer, nodes, change);
  }

  liftSync(layer: string): Promise<void> {
    return this.#parts.faults.liftSync(layer);
  }

  keep(node: string, copy: string): Promise<void> {
    return this.#copies.keep(node, copy);
  }

  putBack(node: string, copy: string): Promise<void> {
    return this.#copies.putBack(node, copy);
  }

  forget(node: string, copy: string): Promise<void> {
    return this.#copies.forget(node, copy);
  }

  flipBits(node: string, part: DataPart, bits: number, random: Random): Promise<void> {
    return this.#copies.flipBits(node, part, bits, random);
  }

  cutTail(node: string, part: DataPart, bytes: number): Promise<void> {
    return this.#copies.cutTail(node, part, bytes);
  }

  replace(node: string): Promise<void> {
    return this.#parts.local.replace(this.#parts.node(node));
  }
}
