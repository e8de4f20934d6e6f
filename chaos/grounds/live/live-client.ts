import { existsSync, readFileSync } from 'node:fs';
import { connect, type StrongroomClient } from '../../../src/client/index.ts';
import { StrongroomError } from '../../../src/lib/index.ts';
import type { VaultClient } from '../ground.ts';
import { nodeAddresses } from '../node-addresses.ts';
import type { Target } from './target.ts';

const CALL_MS = 10_000;

/** What concerns the whole cluster is asked outside the run's namespace. */
export function withinNamespace(client: StrongroomClient): VaultClient {
  const call: VaultClient['call'] = (operation, payload, options) =>
    client.call(
      operation,
      payload,
      /^(?:cluster|seal|audit)\./.test(operation) ? { ...options, namespace: '' } : options,
    );
  return {
    call,
    watch: (request, options) => client.watch(request, options),
    saveSnapshot: (options) => client.saveSnapshot({ ...options, namespace: '' }),
    close: () => client.close(),
  };
}

/** A client of a target; its token is read from its file each time. */
export function clientOf(
  target: Target,
  wishes: {
    readonly first?: string;
    readonly region?: string;
    readonly token?: string;
    readonly namespace?: string;
  } = {},
): Promise<StrongroomClient> {
  const { addresses, caFile, insecurePlaintext, tokenFile } = target;
  const { first, region, namespace } = wishes;
  return connect({
    addresses: [...new Set([...(first === undefined ? [] : [first]), ...addresses])],
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
    insecurePlaintext,
    token: wishes.token ?? readFileSync(tokenFile, 'utf8').trim(),
    ...(region === undefined ? {} : { region }),
    ...(namespace === undefined ? {} : { namespace }),
  });
}

/**
 * Makes sure that who answers is the cluster that was meant, with the nodes that were named.
 *
 * @returns where the API of each node is.
 * @throws StrongroomError `cli.usage` when it is another; what the cluster says otherwise.
 */
export async function meet(
  target: Target,
  admin: StrongroomClient,
): Promise<ReadonlyMap<string, string>> {
  const { name, file, clusterId, nodes, stopFile } = target;
  if (stopFile !== undefined && existsSync(stopFile))
    throw refused(`${stopFile} is there: remove it to allow runs again`);
  const { clusterId: actual, members } = await admin.call(
    'cluster.status',
    {},
    { timeoutMs: CALL_MS, consistency: { kind: 'eventual' } },
  );
  if (actual !== clusterId)
    throw refused(`"${name}" should be cluster ${clusterId}, and who answers is ${actual}`);
  for (const node of nodes) {
    const member = members.find((one) => one.name === node.name);
    if (member === undefined) throw refused(`${node.name} of ${file} is no member of the cluster`);
    if ((member.kind === 'replica') !== (node.kind === 'replica'))
      throw refused(`${node.name} is a ${member.kind} and not a ${node.kind}, as ${file} says`);
  }
  // One that is not known could not be counted when it is asked what would harm a majority.
  const unknown = members.filter((member) => !nodes.some((node) => node.name === member.name));
  if (unknown.length > 0)
    throw refused(`${file} does not name ${unknown.map((one) => one.name).join(', ')}`);
  return nodeAddresses(admin);
}

const refused = (why: string) => new StrongroomError('cli.usage', `Nothing was done: ${why}`);
