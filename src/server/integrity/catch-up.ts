import { join } from 'node:path';
import { type Cancellation, type Clock, deferred, StrongroomError } from '../../lib/index.ts';
import { logBegins, type NodeId, nextIncarnation, nodeDisk } from '../../raft/index.ts';
import { ReplicaFollower } from '../../replication/index.ts';
import type { ParticipationOptions } from '../participation/voter.ts';
import { readRebuildNote } from './rebuild-note.ts';

const LOOK_MS = 50;
const TELL_MS = 10_000;

/**
 * Why a voter's state cannot be brought up from its log: it was lost, or an older one is back.
 * Undefined when it can. Raft alone would give up the log then, and with it the right to vote.
 */
export async function gapBeforeLog(dataDir: string, revision: number): Promise<string | undefined> {
  const begins = await logBegins(await nodeDisk(join(dataDir, 'log')));
  if (begins === undefined || begins <= revision + 1) return undefined;
  return `its log begins at entry ${begins}, but its state ends at ${revision}`;
}

/**
 * Fills the new state of a voter before it takes part again: fed by any other node, as a read
 * replica is, so it needs no leader, and two damaged voters of three can come back through the third.
 * The voter's own log stays as it is. A log that goes back to the first entry needs nobody: Raft
 * replays it.
 *
 * @throws StrongroomError `store.corrupt` when there is neither such a log nor another node.
 */
export async function catchUp(options: ParticipationOptions, signal: Cancellation): Promise<void> {
  const { config, identity, members, log, store } = options;
  const note = await readRebuildNote(config.dataDir);
  const begins = await logBegins(await nodeDisk(join(config.dataDir, 'log')));
  // Replayed once and wrong again: the fault may be in what was replayed.
  if (begins === 1 && (note?.atMs.length ?? 0) <= 1) {
    log.warn({}, 'Makes the state anew from the own log, which is complete');
    return;
  }
  if (!members.all().some(({ node }) => node !== identity.node)) {
    throw new StrongroomError(
      'store.corrupt',
      `Cannot make the state of node ${identity.node} anew: its log begins at entry ${begins ?? 0}, and it knows of no other node that has what was before. Restore a snapshot into a new cluster`,
    );
  }
  const failed = deferred<never>();
  failed.promise.catch(() => undefined);
  const follower = await startFollower(options, (because) => failed.reject(because));
  try {
    await Promise.race([caughtUp(follower, options, signal), failed.promise]);
  } finally {
    await follower[Symbol.asyncDispose]();
  }
  await store.persist(store.applied().index);
  log.info({ revision: store.revision }, 'The new state has caught up; takes part again');
}

async function startFollower(
  options: ParticipationOptions,
  onFailed: (because: unknown) => void,
): Promise<ReplicaFollower> {
  const { config, identity, store, members, clock, random, log, metrics } = options;
  const { clusterId } = identity;
  const node = identity.node as NodeId;
  const sidecar = await nodeDisk(join(config.dataDir, 'sidecar'));
  const incarnation = await nextIncarnation(sidecar, { clusterId, groupId: 0, node });
  const follower = new ReplicaFollower({
    self: { clusterId, node, incarnation },
    region: identity.region,
    store,
    sources: () =>
      members.all().flatMap((member) => {
        const address = members.peerAddressOf(member.node);
        return address === undefined ? [] : [{ node: member.node as NodeId, address }];
      }),
    credentials: options.credentials,
    clock,
    random,
    log: log.child({ part: 'rebuild' }),
    metrics,
    stalenessMaxMs: config.replica.stalenessMaxMs,
    onFailed,
  });
  follower.start();
  return follower;
}

/** Resolves when all is applied that a source had committed when it last spoke. */
async function caughtUp(
  follower: ReplicaFollower,
  { clock, log }: { readonly clock: Clock; readonly log: ParticipationOptions['log'] },
  signal: Cancellation,
): Promise<void> {
  let toldMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    const { state, appliedIndex, sourceCommit, source } = follower.status();
    if (state === 'following' && sourceCommit > 0 && appliedIndex >= sourceCommit) return;
    if (clock.monotonicMs() - toldMs >= TELL_MS) {
      toldMs = clock.monotonicMs();
      log.warn({ state, source, appliedIndex, sourceCommit }, 'Still makes the state anew');
    }
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}
