import { writeFile } from 'node:fs/promises';
import { StrongroomError } from '../../src/lib/index.ts';
import type { RunRecord } from '../runner/record.ts';
import { reportPage } from './page.ts';

/** Beside the record, in a run's folder. */
export const PAGE = 'report.html';

/**
 * Writes the page of a run.
 *
 * @throws StrongroomError `cli.file-unwritable` when the file cannot be written.
 */
export async function writeReport(path: string, record: RunRecord, folder: string): Promise<void> {
  try {
    await writeFile(path, reportPage(record, folder));
  } catch (cause) {
    throw new StrongroomError('cli.file-unwritable', `Cannot write the report to ${path}`, {
      cause,
    });
  }
}
