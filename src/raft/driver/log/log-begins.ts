import type { LogIndex } from '../../core/index.ts';
import type { Disk } from '../disk.ts';
import { scanSegment } from './frames.ts';
import { readRecords } from './records.ts';

/**
 * The first entry of the log in a directory, without opening it: whether a state that was lost can
 * be made again from the log alone. Changes nothing.
 *
 * @returns `undefined` when there is no log, or its oldest segment cannot be read.
 */
export async function logBegins(disk: Disk): Promise<LogIndex | undefined> {
  const oldest = (await disk.list()).find((name) => /^segment-\d{10}\.log$/.test(name));
  if (oldest === undefined) return undefined;
  const bytes = Buffer.from(await disk.read(oldest));
  let first: LogIndex | undefined;
  scanSegment(bytes, Number(/\d+/.exec(oldest)?.[0]), undefined, ({ offset, body }) => {
    if (offset > 0) return;
    const [record] = readRecords(body);
    if (record?.kind === 'segment') first = (record.base.index + 1) as LogIndex;
  });
  return first;
}
