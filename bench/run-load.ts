import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadPlan, LoadResult } from './load/http2-load.ts';
import { cpuMicrosecondsOfTree } from './measure.ts';
import type { Sample } from './report.ts';

const exec = promisify(execFile);

/** The generators, each a program that takes its plan as JSON and prints its result as JSON. */
const generators = {
  unary: new URL('load/http2-load.ts', import.meta.url).pathname,
  pipelined: new URL('load/pipeline-load.ts', import.meta.url).pathname,
};

/** Runs one generator in a process of its own beside the servers, and measures both. */
export async function runLoad(
  generator: keyof typeof generators,
  plan: LoadPlan,
  serverPids: readonly number[],
): Promise<Sample> {
  const before = cpuMicrosecondsOfTree(serverPids);
  const { stdout } = await exec(
    process.execPath,
    ['--import', 'tsx', generators[generator], JSON.stringify(plan)],
    { maxBuffer: 1 << 20 },
  );
  const used = cpuMicrosecondsOfTree(serverPids) - before;
  const result = JSON.parse(stdout) as LoadResult;
  if (result.operations === 0)
    throw new Error(`${plan.call} did nothing: ${result.firstError ?? 'no answer'}`);
  // Warm-up counts in the servers' time, so it is shared out over its operations too.
  const share = result.seconds / (result.seconds + plan.warmupSeconds);
  return {
    perSecond: result.perSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    serverCpuUs: (used * share) / result.operations,
    clientCpuUs: result.clientCpuMicroseconds,
    errors: result.errors,
  };
}
