import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { describeProblem, type SignedHead, verifyAuditFiles } from '../../src/audit/index.ts';
import type { Cluster, VaultClient } from '../grounds/ground.ts';
import { sleep } from '../grounds/sleep.ts';
import type { Entry } from '../history/history.ts';
import type { Checker, Evidence, Judgement } from './checker.ts';
import { isAnswered, type Violation, violation } from './entries.ts';

/** The last line may be on its way while it is read. */
const TRIES = 3;
const BETWEEN_TRIES_MS = 500;

type Files = ReadonlyMap<string, readonly string[]>;

/** Reads every node's audit log: its chain, the heads that were committed, and who was told what. */
export const auditComplete: Checker = {
  name: 'audit-complete',
  summary: 'every audit chain is unbroken and as its heads say, and holds what was acknowledged',
  judges: ['register', 'set', 'list', 'session', 'watch', 'tokens', 'once'],
  async check(evidence) {
    const { cluster, histories } = evidence;
    const files = await filesOf(cluster);
    if (files === 'absent')
      return { kind: 'undecided', because: 'this ground cannot reach the audit logs' };
    if (files === 'closed')
      return { kind: 'not-checked', because: 'the audit logs of this cluster cannot be read here' };
    const acknowledged = histories.flatMap(({ entries }) =>
      entries.filter((entry) => isAnswered(entry) && entry.correlationId !== undefined),
    );
    if (acknowledged.length === 0)
      return { kind: 'undecided', because: 'no acknowledged request carried a correlation id' };
    const chains = await judgeChains(evidence, files);
    if (chains.kind !== 'ok') return chains;
    const found = judgePairs(acknowledged, await talliesOf(files, acknowledged));
    return (
      found ?? {
        kind: 'ok',
        about: `${acknowledged.length} acknowledged requests; ${chains.about}`,
      }
    );
  },
};

async function filesOf(cluster: Cluster): Promise<Files | 'absent' | 'closed'> {
  const files = new Map<string, readonly string[]>();
  if (cluster.auditFiles === undefined) return 'absent';
  for (const name of [...cluster.nodes.map((node) => node.name), ...visitorsOf(cluster)]) {
    const paths = await cluster.auditFiles(name);
    if (paths === undefined) return 'closed';
    files.set(name, paths);
  }
  return files;
}

const visitorsOf = (cluster: Cluster) => cluster.visitors?.() ?? [];

async function judgeChains({ cluster, signal }: Evidence, files: Files): Promise<Judgement> {
  const client = await cluster.client();
  let records = 0;
  let heads = 0;
  try {
    for (const [name, paths] of files) {
      // Before the file is read: what was committed is in it.
      const committed = await headsOf(client, name);
      const verdict = await verifySettled(cluster, paths, committed, signal);
      // One that was ended when it was removed never starts again, to cut off its unfinished line.
      const isGone = visitorsOf(cluster).includes(name);
      const problem = verdict.problems.find(({ kind }) => kind !== 'torn-end' || !isGone);
      if (problem !== undefined)
        return violation(`audit log of ${name}: ${describeProblem(problem)}`);
      if ((verdict.firstSequence ?? 1) !== 1)
        return violation(`audit log of ${name}: it begins with record ${verdict.firstSequence}`);
      records += verdict.records;
      heads += verdict.headsChecked;
    }
  } finally {
    await client.close();
  }
  return { kind: 'ok', about: `${records} records of ${files.size} nodes, ${heads} heads agree` };
}

async function verifySettled(
  cluster: Cluster,
  paths: readonly string[],
  heads: readonly SignedHead[],
  signal: AbortSignal,
) {
  for (let tries = 1; ; tries++) {
    const verdict = await verifyAuditFiles(paths, { heads, signal });
    const isTorn = verdict.problems.every(({ kind }) => kind === 'torn-end');
    if (verdict.isIntact || !isTorn || tries === TRIES) return verdict;
    await sleep(cluster.clock, BETWEEN_TRIES_MS, signal);
  }
}

async function headsOf(client: VaultClient, name: string): Promise<readonly SignedHead[]> {
  const { clusterId, members } = await client.call('cluster.status', {});
  const member = members.find((one) => one.name === name);
  if (member === undefined) return [];
  const { heads } = await client.call('audit.heads', { node: member.node });
  return heads.map(({ head: hash, ...rest }) => ({ ...rest, hash, clusterId }));
}

/** What the nodes' logs have of one request. */
export interface Tally {
  /** Of the node that has most. */
  answered: number;
  refused: number;
  /** A node that tells an answer to a request that it does not tell. */
  unasked: string | undefined;
}

/** The acknowledged requests, as the logs have them. */
export async function talliesOf(
  files: Files,
  acknowledged: readonly Entry[],
): Promise<ReadonlyMap<string, Tally>> {
  const tallies = new Map<string, Tally>();
  for (const { correlationId } of acknowledged)
    if (correlationId !== undefined)
      tallies.set(correlationId, { answered: 0, refused: 0, unasked: undefined });
  for (const [node, paths] of files) {
    /** Requests of this node whose answer is still to come. */
    const open = new Map<string, number>();
    for (const path of paths)
      for await (const line of linesOf(path)) {
        const { type, correlationId = '', error } = parseRecord(line);
        const tally = tallies.get(correlationId);
        if (tally === undefined) continue;
        if (type === 'request') {
          open.set(correlationId, (open.get(correlationId) ?? 0) + 1);
          if (error !== undefined) tally.refused++;
        } else if (type === 'response') {
          const asked = open.get(correlationId) ?? 0;
          if (asked === 0) tally.unasked = node;
          else tally.answered++;
          open.set(correlationId, asked - 1);
        }
      }
  }
  return tallies;
}

/** One pair for each acknowledged request; of one that was refused, the refusal. */
export function judgePairs(
  acknowledged: readonly Entry[],
  tallies: ReadonlyMap<string, Tally>,
): Violation | undefined {
  for (const entry of acknowledged) {
    const id = entry.correlationId ?? '';
    const { answered = 0, refused = 0, unasked } = tallies.get(id) ?? {};
    if (unasked !== undefined)
      return violation(
        `${id}: ${unasked} has the record of its answer and not of the request`,
        entry,
      );
    const isRefusal = (entry.output as { readonly kind?: unknown } | undefined)?.kind === 'denied';
    if (answered === 0 && !(isRefusal && refused > 0))
      return violation(`${id}: no audit log has its request and its answer`, entry);
  }
  return undefined;
}

interface ToldRecord {
  readonly type?: unknown;
  readonly correlationId?: string;
  readonly error?: unknown;
}

function parseRecord(line: string): ToldRecord {
  try {
    return JSON.parse(line) as ToldRecord;
  } catch {
    // Told by the chain's own verification.
    return {};
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, 'utf8');
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    input.destroy();
  }
}
