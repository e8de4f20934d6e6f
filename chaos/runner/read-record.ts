import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StrongroomError } from '../../src/lib/index.ts';
import { RECORD_VERSION, type RunRecord } from './record.ts';

/** @throws StrongroomError `cli.file-unreadable` when there is no record of this version. */
export async function readRecord(folder: string): Promise<RunRecord> {
  const path = join(folder, 'run.json');
  let record: Partial<RunRecord>;
  try {
    record = JSON.parse(await readFile(path, 'utf8')) as Partial<RunRecord>;
  } catch (cause) {
    throw new StrongroomError('cli.file-unreadable', `Cannot read a run from ${path}`, { cause });
  }
  if (record.version === RECORD_VERSION) return record as RunRecord;
  throw new StrongroomError(
    'cli.file-unreadable',
    `${path} is a record of version ${String(record.version)}, this program reads ${RECORD_VERSION}`,
  );
}
