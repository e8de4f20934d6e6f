import { dirname, join } from 'node:path';
import { type FileSink, openFileSink } from '../audit/index.ts';
import type { Clock } from '../lib/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { newestOf } from './audit-heads/head-keeper.ts';
import { HEADS_A_SINK_MAX, headsOfSink, parseKept } from './audit-heads/head-records.ts';
import type { SystemRecords } from './cluster/system-records.ts';
import { makeNamedFolder, type NodeConfig } from './config/index.ts';

/**
 * The node's audit files; `audit.log` in its data directory when none is configured, because a vault
 * without an audit log is never what was meant.
 */
export async function openSinks(options: {
  readonly config: NodeConfig;
  readonly node: number;
  readonly records: SystemRecords;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}): Promise<readonly FileSink[]> {
  const { config, node, records, clock, log, metrics } = options;
  const files =
    config.audit.files.length > 0
      ? config.audit.files
      : [{ name: 'file', path: join(config.dataDir, 'audit.log') }];
  const sinks: FileSink[] = [];
  for (const { name, path } of files) {
    await makeNamedFolder(dirname(path), `the folder of audit file "${name}",`);
    const found = await records.list(headsOfSink(node, name), HEADS_A_SINK_MAX);
    const newest = newestOf(found.flatMap(({ value }) => parseKept(value) ?? []))?.head;
    sinks.push(
      await openFileSink({
        path,
        name,
        clock,
        log,
        metrics,
        // A file that is gone is noticed: its successor goes on where the cluster knows it ended.
        ...(newest === undefined
          ? {}
          : { startAfter: { sequence: newest.sequence, hash: newest.head } }),
      }),
    );
  }
  return sinks;
}

/** Opens the files by their names again at SIGHUP, which log rotation sends after it moved them. */
export function reopenOnSignal(sinks: readonly FileSink[], log: Logger): Disposable {
  const reopen = () => {
    for (const sink of sinks) {
      sink.reopen().then(
        () => log.info({ sink: sink.name }, 'Opened the audit file again'),
        (error: unknown) =>
          log.error({ sink: sink.name, error: String(error) }, 'Kept the old audit file'),
      );
    }
  };
  process.on('SIGHUP', reopen);
  return { [Symbol.dispose]: () => void process.off('SIGHUP', reopen) };
}
