import type { Clock } from '../lib/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { LevelDisk } from './disk/level-disk.ts';
import { StateDirectory } from './disk/state-directory.ts';
import { type FlushLimits, flushLimits } from './disk/tables.ts';
import { LevelStore } from './level-store.ts';
import { type CacheLimits, cacheLimits, type HistoryLimits, historyLimits } from './limits.ts';
import { type LiveStateOptions, loadState } from './live-state.ts';
import type { Store } from './store.ts';
import { storeMetrics } from './store-metrics.ts';
import { WatchHub, type WatchWindow, watchWindow } from './watch-hub.ts';

export interface OpenStoreOptions {
  /** Made when it is not there. Nothing else may be kept in it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly watchWindow?: Partial<WatchWindow>;
  readonly flush?: Partial<FlushLimits>;
  /** May differ from node to node. */
  readonly cache?: Partial<CacheLimits>;
  /** Must be the same on every node of a cluster, for its whole life. */
  readonly history?: Partial<HistoryLimits>;
  /** Told once when the disk fails or a damaged record turns up: stop the node. */
  readonly onFailed?: (error: Error) => void;
}

/**
 * Opens the state of one group. What the last process had not yet flushed is replayed from the log:
 * `applied()` says from where.
 *
 * @throws StrongroomError `store.corrupt`
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { clock, log } = options;
  const metrics = storeMetrics(options.metrics);
  let failed = false;
  const stateOptions: LiveStateOptions = {
    clock,
    flush: { ...flushLimits, ...options.flush },
    history: { ...historyLimits, ...options.history },
    cache: { ...cacheLimits, ...options.cache },
    onFlushed: (durationMs) => metrics.flushed(durationMs),
    onFailed(error) {
      if (failed) return;
      failed = true;
      log.error({ error }, 'The state cannot be used any more');
      options.onFailed?.(error);
    },
  };
  const directory = await StateDirectory.open(options.directory);
  const { disk, meta } = await LevelDisk.open(directory.live);
  try {
    const name = directory.liveName;
    const state = await loadState(name, disk, meta, stateOptions);
    const window = { ...watchWindow, ...options.watchWindow };
    const hub = new WatchHub(window, clock, state.progress.index);
    const { onFailed: onCorrupt } = stateOptions;
    return new LevelStore({ directory, state, stateOptions, hub, log, metrics, onCorrupt });
  } catch (error) {
    await disk.close();
    throw error;
  }
}
