import type { VaultClient } from './ground.ts';

/** Where the API of each node is, by its name, as the cluster itself says. */
export async function nodeAddresses(client: VaultClient): Promise<ReadonlyMap<string, string>> {
  const { members } = await client.call(
    'cluster.status',
    {},
    { consistency: { kind: 'eventual' } },
  );
  return new Map(members.map((member) => [member.name, member.apiAddress]));
}
