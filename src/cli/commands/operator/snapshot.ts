import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { Command } from 'commander';
import { StrongroomError } from '../../../lib/index.ts';
import { readSecretText } from '../../input/secret-text.ts';
import type { CliIo } from '../../io.ts';
import { renderKeyValues } from '../../output/table.ts';
import { timeText } from '../../output/times.ts';
import type { Act, Session } from '../../session.ts';

const CHUNK_BYTES = 256 * 1024;

/** Copies of the whole state, as ciphertext. */
export function snapshotCommand(act: Act): Command {
  const snapshot = new Command('snapshot').description('save, restore and look into snapshots');
  snapshot
    .command('save')
    .description('write a snapshot of the whole state; it stays encrypted')
    .argument('<file>')
    .action(act((session, file = '') => save(session, file)));
  snapshot
    .command('restore')
    .description('replace the whole state by a snapshot')
    .argument('<file>', '"-" is standard input')
    .option('--yes', 'needed: what was written since is lost')
    .option('--foreign', 'the snapshot may be of another cluster, whose seal the leader can open')
    .option('--revive-tokens', 'bring back tokens that were revoked or ended since, too')
    .option(
      '--shares-from <@file...>',
      "with --foreign: shares of that cluster's shamir slot, each in a file",
    )
    .action(
      act(async (session, file = '') => {
        if (!session.options.flag('yes')) {
          throw new StrongroomError(
            'cli.usage',
            'Cannot restore without --yes: everything written since the snapshot is lost',
          );
        }
        const client = await session.client();
        const chunks = chunksOf(session.io, file);
        const { signal } = session.io;
        const shares: string[] = [];
        for (const from of session.options.list('sharesFrom')) {
          shares.push(await readSecretText(session.io, from, 'share'));
        }
        const foreign = session.options.flag('foreign');
        const reviveTokens = session.options.flag('reviveTokens');
        const options = { foreign, shares, reviveTokens };
        const revision = await client.restoreSnapshot(chunks, signal, options);
        session.printDone(`Restored from ${file}`, { revision });
      }),
    );
  snapshot
    .command('inspect')
    .description('check a snapshot file and say what it is, without a server')
    .argument('<file>', '"-" is standard input')
    .action(act((session, file = '') => inspect(session, file)));
  return snapshot;
}

async function save(session: Session, path: string): Promise<void> {
  const client = await session.client();
  // A pipe or device is written to as it is; a file gets its name only when it is whole: a backup job
  // must not keep half a snapshot.
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => true,
  );
  const beside = isFile ? `${path}.partial` : path;
  let bytes = 0;
  try {
    const file = await open(beside, 'w', 0o600);
    try {
      for await (const chunk of client.saveSnapshot(session.io.signal)) {
        await file.writeFile(chunk);
        bytes += chunk.length;
      }
      if (isFile) await file.sync();
    } finally {
      await file.close();
    }
    if (isFile) await rename(beside, path);
  } catch (error) {
    if (isFile) await rm(beside, { force: true });
    if (error instanceof StrongroomError) throw error;
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new StrongroomError('cli.file-unwritable', `Cannot write ${path}: ${why}`, {
      cause: error,
    });
  }
  session.printDone(`Saved ${bytes} bytes to ${path}`, { file: path, bytes });
}

async function inspect(session: Session, path: string): Promise<void> {
  const { verifySnapshotFile } = await import('../../../server/index.ts');
  const { header, bytes } = await verifySnapshotFile(chunksOf(session.io, path));
  const facts = { ...header, bytes };
  session.print({
    document: facts,
    table: () =>
      renderKeyValues({
        cluster_id: header.clusterId,
        taken_at: timeText(header.takenAtMs),
        revision: header.index,
        term: header.term,
        voters: header.membership.voters,
        learners: header.membership.learners,
        bytes,
      }),
  });
}

async function* chunksOf(io: CliIo, path: string): AsyncIterable<Uint8Array> {
  if (path === '-') {
    yield* io.readStdinBytes();
    return;
  }
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      yield new Uint8Array(chunk as Buffer);
    }
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new StrongroomError('cli.file-unreadable', `Cannot read ${path}: ${why}`, {
      cause: error,
    });
  }
}
