import type { ProcessLever } from '../levers.ts';
import type { NodeProcess } from './node-process.ts';
import { otherBuild } from './other-build.ts';

/** Processes of this machine, by signals. */
export function processLever(
  node: (name: string) => NodeProcess,
  folder: string,
): Required<Omit<ProcessLever, 'cutPower'>> {
  let other: Promise<string> | undefined;
  return {
    kill: async (name) => void (await node(name).stop('SIGKILL')),
    start: (name) => node(name).ensureStarted(),
    pause: (name) => node(name).signal('SIGSTOP'),
    resume: (name) => node(name).signal('SIGCONT'),
    stop: async (name) => void (await node(name).stop('SIGTERM')),
    useBuild: async (name, build) => {
      if (build === 'own') return node(name).useProgram(undefined);
      other ??= otherBuild(folder);
      node(name).useProgram(await other);
    },
  };
}
