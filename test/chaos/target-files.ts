import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTarget } from '../../chaos/grounds/live/read-target.ts';
import type { Target } from '../../chaos/grounds/live/target.ts';
import { parseScenario } from '../../chaos/scenario/parse-scenario.ts';
import type { Scenario } from '../../chaos/scenario/scenario.ts';
import { vocabulary } from '../../chaos/vocabulary.ts';

/** A folder with a token that only its owner reads. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-target-'));
  writeFileSync(join(folder, 'token'), 'hvs.x\n', { mode: 0o600 });
  return folder;
}

/** Three voters and a replica, and what follows. */
export const staging = (rest: string) => `name: staging
cluster: 0a1b
addresses: [10.0.0.1:8200]
token-file: token
nodes:
  - { name: a1, host: 10.0.0.1, as: voter-1 }
  - { name: a2, host: 10.0.0.2 }
  - { name: a3, host: 10.0.0.3, region: west }
  - { name: r1, kind: replica, region: west }
${rest}`;

/** As `chaos run` reads it. */
export function targetOf(folder: string, text: string): Promise<Target> {
  const file = join(folder, 'staging.yaml');
  writeFileSync(file, text);
  return readTarget(
    file,
    vocabulary.faults.map((fault) => fault.name),
  );
}

/** A scenario of three voters with this timeline; its first step is in line 8. */
export function scenarioOf(timeline: string): Scenario {
  const text = `name: s
title: S
purpose: To be refused, or not.
cluster: { voters: 3 }
grounds: [live]
duration: 20s
timeline:
${timeline}
workloads: [{ use: register }]
checks: [linearizable]
`;
  return parseScenario('s.yaml', text, vocabulary);
}
