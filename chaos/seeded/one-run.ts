import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groundOf } from '../grounds/processes/process-ground.ts';
import { simulationGround } from '../grounds/simulation/simulation-ground.ts';
import type { RunRecord } from '../runner/record.ts';
import { runScenario } from '../runner/run-scenario.ts';
import { readScenario } from '../scenario/parse-scenario.ts';
import { vocabulary } from '../vocabulary.ts';
import type { Trial } from './seeded-fault.ts';

export interface RunWishes {
  /** The scenario's file. */
  readonly file: string;
  readonly ground: Trial['ground'];
  readonly seed: number;
  /** The main module that processes run; this build's own when absent. */
  readonly program?: string;
  readonly signal: AbortSignal;
}

/**
 * Runs a scenario once and keeps nothing of it but its record. The simulation has its nodes in this
 * process: a seeded fault is in it when this module is the mutated copy's own.
 */
export async function runOnce(wishes: RunWishes): Promise<RunRecord> {
  const { file, ground, seed, program, signal } = wishes;
  const scenario = await readScenario(file, vocabulary);
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-seeded-run-'));
  try {
    return await runScenario(
      scenario,
      ground === 'simulation' ? simulationGround : groundOf(program),
      { seed, folder, signal, progress: () => {}, programVersion: 'seeded' },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
