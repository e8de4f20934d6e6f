import type { ScenarioFile } from './file-schema.ts';
import type { Problems } from './problems.ts';
import type { PlannedNode } from './scenario.ts';

const NODES_MAX = 20;
const VOTERS_MAX = 9;

/** Names every node of the cluster: voter-1, voter-2 and so on; replicas after their region. */
export function planNodes(raw: ScenarioFile, problems: Problems): readonly PlannedNode[] {
  const { voters, region, replicas } = raw.cluster;
  const voterRegions =
    typeof voters === 'number'
      ? Array.from({ length: voters }, () => region)
      : Object.entries(voters).flatMap(([name, count]) => Array<string>(count).fill(name));
  if (voterRegions.length === 0 || voterRegions.length > VOTERS_MAX)
    problems.at(['cluster', 'voters'], `a cluster has from 1 to ${VOTERS_MAX} voters`);
  const nodes: PlannedNode[] = voterRegions.map((home, at) => ({
    name: `voter-${at + 1}`,
    kind: 'voter',
    region: home,
  }));
  for (const [home, count] of Object.entries(replicas)) {
    if (home === 'voter')
      problems.at(['cluster', 'replicas', home], 'a region cannot be called "voter"');
    for (let at = 1; at <= count; at++)
      nodes.push({ name: `${home}-${at}`, kind: 'replica', region: home });
  }
  if (nodes.length > NODES_MAX) problems.at(['cluster'], `more than ${NODES_MAX} nodes`);
  return nodes;
}
