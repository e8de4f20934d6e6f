import { nearestWord } from '../../src/server/config/index.ts';
import { unknownWord } from './assertion.ts';
import type { FileStep, ScenarioFile } from './file-schema.ts';
import type { Problems } from './problems.ts';
import type { GroundName, PlannedNode, TimelineStep } from './scenario.ts';
import { parseSelector, type Selector, selectorForms } from './selector.ts';
import type { FaultWords, Vocabulary } from './vocabulary.ts';
import { parametersOf } from './zod-issues.ts';

const EVERY_MS_MIN = 100;

/** Reads the timeline: each fault, its nodes and times, and whether any named ground can do it. */
export function readTimeline(
  raw: ScenarioFile,
  nodes: readonly PlannedNode[],
  words: Vocabulary,
  problems: Problems,
): readonly TimelineStep[] {
  return raw.timeline.flatMap((step, at) => {
    const path = ['timeline', at];
    const fault = words.faults.find((one) => one.name === step.fault);
    if (fault === undefined) {
      const known = words.faults.map((one) => one.name);
      problems.at([...path, 'fault'], unknownWord('fault', step.fault, known));
      return [];
    }
    const parameters = parametersOf(fault.parameters, step.with, [...path, 'with'], problems);
    checkGrounds(step, parameters, raw.grounds, words, path, problems);
    return [
      {
        place: problems.placeOf([...path, 'fault']),
        fault: step.fault,
        on: readTarget(step, fault, nodes, path, problems),
        parameters,
        draw: step.draw,
        ...readTimes(step, fault, raw.duration, path, problems),
      },
    ];
  });
}

function checkGrounds(
  step: FileStep,
  parameters: unknown,
  grounds: readonly GroundName[],
  words: Vocabulary,
  path: readonly PropertyKey[],
  problems: Problems,
): void {
  // Parameters that could not be read have been reported already.
  if (parameters === undefined) return;
  for (const ground of grounds) {
    const why = words.impossible(step.fault, parameters, ground);
    if (why !== undefined) problems.at([...path, 'fault'], why);
  }
}

function readTarget(
  step: FileStep,
  fault: FaultWords,
  nodes: readonly PlannedNode[],
  path: readonly PropertyKey[],
  problems: Problems,
): Selector | undefined {
  if (step.on === undefined) {
    if (fault.targets === 'nodes')
      problems.at(path, `${fault.name} needs "on": ${selectorForms.join(', ')}`);
    return undefined;
  }
  const at = [...path, 'on'];
  if (fault.targets === 'none')
    problems.at(at, `${fault.name} is not done to a node: leave it out`);
  const selector = parseSelector(step.on);
  if (selector === undefined) {
    problems.at(at, `"${step.on}" names no nodes: write ${selectorForms.join(', ')}`);
    return undefined;
  }
  const why = impossibleNode(selector, nodes);
  if (why !== undefined) problems.at(at, why);
  return selector;
}

/** Why a selector can never find a node in this cluster. */
export function impossibleNode(
  selector: Selector,
  nodes: readonly PlannedNode[],
): string | undefined {
  const replicas = nodes.filter((node) => node.kind === 'replica');
  const regions = [...new Set(nodes.map((node) => node.region))];
  switch (selector.kind) {
    case 'node': {
      const names = nodes.map((node) => node.name);
      if (names.includes(selector.name)) return undefined;
      const words = selectorForms.filter((form) => /^[a-z]+$/.test(form));
      const near = nearestWord(selector.name, [...names, ...words]);
      const help = near === undefined ? '' : `did you mean ${near}? `;
      return `no node "${selector.name}": ${help}this cluster has ${names.join(', ')}`;
    }
    case 'region':
      return regions.includes(selector.region)
        ? undefined
        : unknownWord('region', selector.region, regions);
    case 'replica-of': {
      const homes = [...new Set(replicas.map((node) => node.region))];
      if (homes.includes(selector.region)) return undefined;
      if (homes.length === 0) return 'this cluster has no replicas: see cluster.replicas';
      return unknownWord('region with replicas', selector.region, homes);
    }
    case 'replicas':
      return replicas.length > 0 ? undefined : 'this cluster has no replicas';
    case 'random':
      return selector.of === 'replica' && replicas.length === 0
        ? 'this cluster has no replicas'
        : undefined;
    case 'follower':
    case 'followers':
    case 'minority':
      return nodes.length - replicas.length > (selector.kind === 'minority' ? 2 : 1)
        ? undefined
        : `this cluster has too few voters for "${selector.kind}"`;
    default:
      return undefined;
  }
}

function readTimes(
  step: FileStep,
  fault: FaultWords,
  durationMs: number,
  path: readonly PropertyKey[],
  problems: Problems,
): Pick<TimelineStep, 'atMs' | 'everyMs' | 'untilMs' | 'forMs'> {
  const { at, from, every, until, for: lasts } = step;
  const complain = (field: string, message: string) => problems.at([...path, field], message);
  if (at === undefined && every === undefined) problems.at(path, 'needs "at" or "every"');
  if (at !== undefined && every !== undefined)
    complain('at', 'cannot stand beside "every": write "from" for the first time');
  if (every === undefined && from !== undefined) complain('from', 'needs "every": write "at"');
  if (every === undefined && until !== undefined) complain('until', 'needs "every": write "for"');
  if (every !== undefined && every < EVERY_MS_MIN)
    complain('every', `shorter than ${EVERY_MS_MIN} ms`);
  if (lasts !== undefined && !fault.lasting)
    complain('for', `${fault.name} is over at once: leave "for" out`);
  if (every !== undefined && fault.lasting && lasts === undefined)
    problems.at(path, `needs "for": ${fault.name} would be done again before it was healed`);
  if (every !== undefined && lasts !== undefined && lasts >= every)
    complain('for', 'must be shorter than "every"');
  const atMs = at ?? from ?? every ?? 0;
  if (atMs >= durationMs)
    complain(at === undefined ? 'every' : 'at', `is after the end: duration is ${durationMs} ms`);
  return { atMs, everyMs: every, untilMs: Math.min(until ?? durationMs, durationMs), forMs: lasts };
}
