import { type Assertion, parseAssertion, unknownWord } from './assertion.ts';
import { fileSchema, type ScenarioFile } from './file-schema.ts';
import { planNodes } from './plan-nodes.ts';
import type { Problems } from './problems.ts';
import { parseYaml, readText } from './read-yaml.ts';
import type { Scenario, WorkloadUse } from './scenario.ts';
import { readTimeline } from './timeline-steps.ts';
import type { Vocabulary } from './vocabulary.ts';
import { parametersOf } from './zod-issues.ts';

/** @throws StrongroomError `cli.file-unreadable`, or `config.invalid` as `parseScenario` does. */
export async function readScenario(file: string, words: Vocabulary): Promise<Scenario> {
  return parseScenario(file, await readText(file, 'scenario'), words);
}

/**
 * Reads a scenario; touches nothing.
 *
 * @throws StrongroomError `config.invalid` with every problem as `file:line:column: what would be
 * right`.
 */
export function parseScenario(file: string, text: string, words: Vocabulary): Scenario {
  const { raw, problems } = parseYaml(file, text, fileSchema);
  const scenario = understand(file, text, raw, words, problems);
  problems.throwIfAny();
  return scenario;
}

function understand(
  file: string,
  text: string,
  raw: ScenarioFile,
  words: Vocabulary,
  problems: Problems,
): Scenario {
  const { cluster } = raw;
  const nodes = planNodes(raw, problems);
  const between = cluster['between-regions'];
  const sentences = (list: readonly string[], path: readonly PropertyKey[]) =>
    readAssertions(list, path, words, problems);
  return {
    file,
    text,
    name: raw.name,
    title: raw.title,
    purpose: raw.purpose.trim(),
    cluster: {
      nodes,
      seal: cluster.seal,
      betweenRegions: between && {
        delayMs: between.delay,
        jitterMs: between.jitter,
        lossRatio: between.loss,
      },
    },
    grounds: raw.grounds,
    steadyMs: raw.steady.for,
    durationMs: raw.duration,
    settleMs: raw.settle,
    workloads: readWorkloads(raw, words, problems),
    timeline: readTimeline(raw, nodes, words, problems),
    steadyState: sentences(raw.steady.expect, ['steady', 'expect']),
    objectives: sentences(raw.objectives, ['objectives']),
    aborts: sentences(raw.aborts, ['aborts']),
    checks: readChecks(raw, words, problems),
  };
}

function readAssertions(
  list: readonly string[],
  path: readonly PropertyKey[],
  words: Vocabulary,
  problems: Problems,
): readonly Assertion[] {
  const faults = words.faults.map((fault) => fault.name);
  return list.flatMap((sentence, at) => {
    const parsed = parseAssertion(sentence, faults);
    if (parsed.ok) return [parsed.value];
    problems.at([...path, at], parsed.problem);
    return [];
  });
}

function readWorkloads(
  raw: ScenarioFile,
  words: Vocabulary,
  problems: Problems,
): readonly WorkloadUse[] {
  const labels = new Set<string>();
  return raw.workloads.flatMap((use, at) => {
    const path = ['workloads', at];
    const found = words.workloads.find((one) => one.name === use.use);
    if (found === undefined) {
      const known = words.workloads.map((one) => one.name);
      problems.at([...path, 'use'], unknownWord('workload', use.use, known));
      return [];
    }
    const label = use.label ?? use.use;
    if (labels.has(label))
      problems.at(path, `two workloads are called "${label}": give one a label of its own`);
    labels.add(label);
    const parameters = parametersOf(found.parameters, use.with, [...path, 'with'], problems);
    return [{ workload: use.use, label, parameters }];
  });
}

function readChecks(raw: ScenarioFile, words: Vocabulary, problems: Problems): readonly string[] {
  // A workload that is unknown has been reported; what it would have been judged by is not known.
  const known = raw.workloads.every(({ use }) => words.workloads.some((one) => one.name === use));
  raw.checks.forEach((name, at) => {
    const checker = words.checkers.find((one) => one.name === name);
    if (checker === undefined) {
      const names = words.checkers.map((one) => one.name);
      problems.at(['checks', at], unknownWord('check', name, names));
    } else if (
      known &&
      checker.judges.length > 0 &&
      !raw.workloads.some((use) => checker.judges.includes(use.use))
    ) {
      const needed = checker.judges.join(' or ');
      problems.at(['checks', at], `${name} has nothing to judge: add the workload ${needed}`);
    }
  });
  return raw.checks;
}
