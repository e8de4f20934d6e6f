import { StrongroomError } from '../../src/lib/index.ts';
import { faultNamed } from '../faults/catalogue.ts';
import { handsOf } from '../grounds/live/hands.ts';
import type { Allowance, Target } from '../grounds/live/target.ts';
import type { Scenario, TimelineStep } from '../scenario/scenario.ts';
import { impossibleNode } from '../scenario/timeline-steps.ts';
import { formatDuration } from '../scenario/units.ts';
import { minorityOf, mostAtOnce, reachOf, votersHarmed } from './reach.ts';

/**
 * The scenario as it runs on a target: with its nodes in place of those that the file plans.
 *
 * @throws StrongroomError `config.invalid` with every step that the target cannot have or does not
 *   allow, as `scenario:line:column: why`. Asks no node.
 */
export function fitScenario(scenario: Scenario, target: Target): Scenario {
  const timeline = scenario.timeline.map((step) => renamed(step, target));
  const fitted = { ...scenario, timeline, cluster: { ...scenario.cluster, nodes: target.nodes } };
  const problems = [
    ...tooSmall(scenario, target).map((why) => `${scenario.file}:1:1: ${why}`),
    ...fitted.timeline.flatMap((step) => {
      const why = refusal(step, fitted, target);
      return why === undefined ? [] : [`${placeOf(scenario, step)}: ${why}`];
    }),
    ...harmsMajority(fitted, target),
  ];
  if (problems.length === 0) return fitted;
  throw new StrongroomError('config.invalid', [...new Set(problems)].join('\n'));
}

const placeOf = ({ file }: Scenario, { place }: TimelineStep) =>
  `${file}:${place.line}:${place.column}`;

/** A node that the scenario calls by another name than its operator does. */
function renamed(step: TimelineStep, target: Target): TimelineStep {
  const { on } = step;
  if (on?.kind !== 'node') return step;
  const node = target.nodes.find((one) => one.as === on.name);
  return node === undefined ? step : { ...step, on: { ...on, name: node.name } };
}

function tooSmall({ cluster }: Scenario, { name, nodes }: Target): readonly string[] {
  const count = (kind: string, some: Scenario['cluster']['nodes']) =>
    some.filter((node) => node.kind === kind).length;
  return ['voter', 'replica'].flatMap((kind) => {
    const [wanted, has] = [count(kind, cluster.nodes), count(kind, nodes)];
    // Any replica will do, where some are wanted.
    const needed = kind === 'replica' ? Math.min(1, wanted) : wanted;
    if (has >= needed) return [];
    return [`the scenario needs ${needed} ${kind}${needed === 1 ? '' : 's'}, "${name}" has ${has}`];
  });
}

function refusal(step: TimelineStep, scenario: Scenario, target: Target): string | undefined {
  const { nodes, name, file } = target;
  const impossible = step.on === undefined ? undefined : impossibleNode(step.on, nodes);
  if (impossible !== undefined) return impossible;
  const allowances = target.allowed.filter((one) => one.fault === step.fault);
  if (allowances.length === 0) {
    const allowed = [...new Set(target.allowed.map((one) => one.fault))];
    return `"${name}" does not allow ${step.fault} (${file} allows ${allowed.join(', ') || 'nothing'})`;
  }
  // One that admits it is enough.
  const reasons = allowances.map((one) => beyond(one, step, scenario, target));
  if (reasons.every((why) => why !== undefined)) return reasons[0];
  const hands = handsOf(target);
  const lacking = faultNamed(step.fault)
    .needs(step.parameters)
    .filter((need) => !hands.has(need));
  if (lacking.length === 0) return undefined;
  return `there are no hands for ${step.fault} on "${name}": give ${file} "hooks" for ${lacking.join(', ')}`;
}

/** Why a step goes beyond what is allowed. */
function beyond(
  allowance: Allowance,
  step: TimelineStep,
  scenario: Scenario,
  { file, name, nodes }: Target,
): string | undefined {
  const { place, longestMs, atOnce } = allowance;
  const where = `${file}:${place.line}`;
  const reach = reachOf(step, nodes);
  const isAllowed = (node: (typeof nodes)[number]) =>
    (allowance.nodes?.includes(node.name) ?? true) &&
    (allowance.regions?.includes(node.region) ?? true);
  const outside = nodes.filter((node) => reach.nodes.includes(node.name) && !isAllowed(node));
  if (outside.length > 0) {
    const names = outside.map((node) => node.name).join(', ');
    return `${step.fault} could be done to ${names}, where "${name}" does not allow it (${where})`;
  }
  const lastsMs = step.forMs ?? Math.max(0, scenario.durationMs - step.atMs);
  if (longestMs !== undefined && faultNamed(step.fault).lasting && lastsMs > longestMs)
    return `${step.fault} lasts ${formatDuration(lastsMs)}, "${name}" allows ${formatDuration(longestMs)} (${where})`;
  if (atOnce === undefined) return undefined;
  const same = scenario.timeline.filter((one) => one.fault === step.fault);
  const most = mostAtOnce(same, scenario.durationMs, (one) => reachOf(one, nodes).atOnce);
  return most > atOnce
    ? `${step.fault} may be on ${most} nodes at once, "${name}" allows ${atOnce} (${where})`
    : undefined;
}

function harmsMajority(scenario: Scenario, target: Target): readonly string[] {
  const { nodes, mayHarmMajority, name } = target;
  if (mayHarmMajority) return [];
  const voters = nodes.filter((node) => node.kind === 'voter').length;
  const { timeline, durationMs } = scenario;
  const harm = (step: TimelineStep) => votersHarmed(step, nodes);
  if (mostAtOnce(timeline, durationMs, harm) <= minorityOf(voters)) return [];
  const worst = timeline.reduce((most, step) => (harm(step) > harm(most) ? step : most));
  return [
    `${placeOf(scenario, worst)}: this scenario may keep a majority of "${name}" from its work: its operator must say "may-harm-majority: true"`,
  ];
}
