import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import { StrongroomError } from '../../src/lib/index.ts';
import { type Assertion, parseAssertion, unknownWord } from './assertion.ts';
import { fileSchema, type ScenarioFile } from './file-schema.ts';
import { planNodes } from './plan-nodes.ts';
import { Problems } from './problems.ts';
import type { Scenario, WorkloadUse } from './scenario.ts';
import { readTimeline } from './timeline-steps.ts';
import type { Vocabulary } from './vocabulary.ts';
import { parametersOf, reportIssues } from './zod-issues.ts';

const FILE_BYTES_MAX = 256 * 1024;

/** @throws StrongroomError `cli.file-unreadable`, or `config.invalid` as `parseScenario` does. */
export async function readScenario(file: string, words: Vocabulary): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new StrongroomError('cli.file-unreadable', `Cannot read the scenario ${file}`, { cause });
  }
  return parseScenario(file, text, words);
}

/**
 * Reads a scenario; touches nothing.
 *
 * @throws StrongroomError `config.invalid` with every problem as `file:line:column: what would be
 * right`.
 */
export function parseScenario(file: string, text: string, words: Vocabulary): Scenario {
  if (text.length > FILE_BYTES_MAX) {
    throw new StrongroomError('config.invalid', `${file}:1:1: longer than ${FILE_BYTES_MAX} bytes`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = new Problems(file, document, lines);
  for (const error of document.errors) problems.add(problems.placeAt(error.pos[0]), error.message);
  problems.throwIfAny();
  const parsed = fileSchema.safeParse(toPlain(document, problems));
  if (!parsed.success) {
    reportIssues(parsed.error, [], fileSchema, problems);
    problems.throwIfAny();
    throw new StrongroomError('config.invalid', `${file}:1:1: not a scenario`);
  }
  const scenario = understand(file, text, parsed.data, words, problems);
  problems.throwIfAny();
  return scenario;
}

function toPlain(document: { toJS(): unknown }, problems: Problems): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Too many aliases: the only thing that can fail here.
    problems.at([], error instanceof Error ? error.message : String(error));
    problems.throwIfAny();
    return undefined;
  }
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
