import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  caFileOf,
  type LocalCluster,
  readLocalCluster,
  readyOf,
  rootTokenFile,
} from '../../../src/cli/index.ts';
import { unknownWord } from '../../scenario/assertion.ts';
import type { Problems } from '../../scenario/problems.ts';
import { parseYaml, readText } from '../../scenario/read-yaml.ts';
import { type HookName, placeholdersIn, wordsOf } from './hook-kinds.ts';
import type { Allowance, Hook, Target, TargetNode } from './target.ts';
import { type TargetFile, targetSchema } from './target-schema.ts';

interface Reading {
  readonly raw: TargetFile;
  readonly problems: Problems;
  /** Paths of the file are relative to its folder. */
  readonly at: (path: string) => string;
  readonly local: LocalCluster | undefined;
}

/**
 * Reads a target file; asks no node.
 *
 * @param faults the names of all faults there are.
 * @throws StrongroomError `cli.file-unreadable`; `config.invalid` with every problem as
 *   `file:line:column: what would be right`.
 */
export async function readTarget(file: string, faults: readonly string[]): Promise<Target> {
  const text = await readText(file, 'target');
  const { raw, problems } = parseYaml(file, text, targetSchema);
  const folder = dirname(resolve(file));
  const at = (path: string) => resolve(folder, path);
  const local = raw.local === undefined ? undefined : readLocalCluster(at(raw.local));
  if (raw.local !== undefined && local === undefined)
    problems.at(['local'], `no cluster of "strongroom up" is in ${at(raw.local)}`);
  problems.throwIfAny();
  const target = understand(file, { raw, problems, at, local }, faults);
  problems.throwIfAny();
  return target;
}

function understand(file: string, reading: Reading, faults: readonly string[]): Target {
  const { raw, problems, at, local } = reading;
  const data = local?.options.data;
  const nodes = nodesOf(reading);
  const wanted = <Value>(name: keyof TargetFile, value: Value | undefined, of: Value): Value => {
    if (value === undefined) problems.at([], `needs "${name}" (or "local")`);
    return value ?? of;
  };
  const running = local?.nodes.map((node) => readyOf(node)?.clusterId).find((id) => id);
  if (local !== undefined && raw.cluster === undefined && running === undefined)
    problems.at(['local'], 'no node of that cluster runs: start it with "strongroom up --detach"');
  return {
    file,
    name: raw.name,
    clusterId:
      raw.cluster ?? (local === undefined ? wanted('cluster', raw.cluster, '') : (running ?? '')),
    addresses: wanted('addresses', raw.addresses ?? local?.nodes.map((one) => one.apiAddress), []),
    caFile: caFile(reading),
    insecurePlaintext: raw['insecure-plaintext'] || local?.options.insecurePlaintext === true,
    tokenFile: tokenFile(reading, wanted('token-file', tokenPath(reading, data), '')),
    nodes,
    allowed: raw.allow.map((_, index) => readAllowance(reading, index, nodes, faults)),
    mayHarmMajority: raw['may-harm-majority'],
    hooks: new Map(
      Object.entries(raw.hooks).flatMap(([name, hook]) =>
        hook === undefined ? [] : [[name as HookName, readHook(reading, name as HookName, hook)]],
      ),
    ),
    local,
    stopFile: raw['stop-file'] === undefined ? undefined : at(raw['stop-file']),
  };
}

function nodesOf({ raw, problems, local }: Reading): readonly TargetNode[] {
  if (raw.nodes === undefined && local === undefined) problems.at([], 'needs "nodes" (or "local")');
  const known = (raw.nodes ?? local?.nodes ?? []).map((node) => ({
    name: node.name,
    kind: node.kind,
    region: node.region,
    host: ('host' in node ? node.host : undefined) ?? node.name,
    as: 'as' in node ? node.as : undefined,
  }));
  const taken = new Set<string>();
  known.forEach(({ name, as }, index) => {
    for (const word of new Set([name, as ?? name])) {
      if (taken.has(word)) problems.at(['nodes', index], `two nodes are called "${word}"`);
      taken.add(word);
    }
    if (local !== undefined && !local.nodes.some((node) => node.name === name))
      problems.at(['nodes', index], `the cluster of "local" has no node "${name}"`);
  });
  return known;
}

const tokenPath = ({ raw, at }: Reading, data: string | undefined) => {
  if (raw['token-file'] !== undefined) return at(raw['token-file']);
  return data === undefined ? undefined : rootTokenFile(data);
};

/** Whoever reads it is whoever runs game days. */
function tokenFile({ problems }: Reading, path: string): string {
  if (path === '') return path;
  if (!existsSync(path)) problems.at(['token-file'], `there is no file ${path}`);
  else if ((statSync(path).mode & 0o077) !== 0)
    problems.at(['token-file'], `others may read ${path}: chmod 600 it`);
  return path;
}

function caFile({ raw, problems, at, local }: Reading): string | undefined {
  const own = local === undefined ? undefined : caFileOf(local.options.data);
  const path = raw['ca-file'] === undefined ? own : at(raw['ca-file']);
  if (path !== undefined && !existsSync(path)) problems.at(['ca-file'], `there is no file ${path}`);
  return path;
}

function readAllowance(
  { raw, problems }: Reading,
  index: number,
  nodes: readonly TargetNode[],
  faults: readonly string[],
): Allowance {
  const one = raw.allow[index] ?? { fault: '' };
  const path = ['allow', index, 'fault'];
  if (!faults.includes(one.fault)) problems.at(path, unknownWord('fault', one.fault, faults));
  const check = (field: 'nodes' | 'regions', known: readonly string[]) =>
    one[field]?.forEach((name, nth) => {
      if (!known.includes(name))
        problems.at(['allow', index, field, nth], unknownWord(field.slice(0, -1), name, known));
    });
  check(
    'nodes',
    nodes.map((node) => node.name),
  );
  check('regions', [...new Set(nodes.map((node) => node.region))]);
  return {
    place: problems.placeOf(path),
    fault: one.fault,
    nodes: one.nodes,
    regions: one.regions,
    atOnce: one['at-once'],
    longestMs: one.longest,
  };
}

function readHook(
  { problems }: Reading,
  name: HookName,
  hook: { readonly inject: readonly string[]; readonly heal: readonly string[]; timeout: number },
): Hook {
  const known = wordsOf(name);
  for (const form of ['inject', 'heal'] as const) {
    hook[form].forEach((argument, at) => {
      for (const word of placeholdersIn(argument))
        if (!known.includes(word))
          problems.at(['hooks', name, form, at], unknownWord('word', `{${word}}`, braced(known)));
    });
    if (placeholdersIn(hook[form][0] ?? '').length > 0)
      problems.at(['hooks', name, form, 0], 'the program itself must be written out');
  }
  return { inject: hook.inject, heal: hook.heal, timeoutMs: hook.timeout };
}

const braced = (words: readonly string[]) => words.map((word) => `{${word}}`);

/** Where a node of a local cluster writes its audit log. */
export function localAuditFile(local: LocalCluster, node: string): string {
  return join(local.options.data, node, 'audit.log');
}
