import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileSinkOptions, openFileSink } from '../../src/audit/index.ts';
import { systemClock } from '../../src/lib/index.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';
import type { AuditRecord } from '../../src/vault/index.ts';

/** A folder that is gone with its scope. */
export function temporaryFolder(): Disposable & { path: (name: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-audit-'));
  return {
    path: (name) => join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const sinkOptions = (path: string): FileSinkOptions => ({
  path,
  name: 'main',
  clock: systemClock,
  log: quietLogger,
  metrics: quietMetrics,
});

export const recordOf = (n: number): AuditRecord => ({
  type: n % 2 === 0 ? 'request' : 'response',
  members: JSON.stringify({ operation: 'kv.put', n, text: 'ä "quoted" \n line' }).slice(1, -1),
});

/** An audit file with records 1 to `count`, and its lines without their newlines. */
export async function fileOf(path: string, count: number): Promise<string[]> {
  const sink = await openFileSink(sinkOptions(path));
  await Promise.all(Array.from({ length: count }, (_, i) => sink.append(recordOf(i + 1))));
  await sink.close();
  return linesOf(path);
}

export const linesOf = (path: string): string[] =>
  readFileSync(path, 'utf8').split('\n').slice(0, -1);

export const writeLines = (path: string, lines: readonly string[]): void =>
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
