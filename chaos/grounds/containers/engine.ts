import type { ContainerRuntimeClient } from 'testcontainers';
import { endEngine } from '../../heal/engine-leftovers.ts';
import { type EngineFiles, missingForDockerd, ownEngine, startDockerd } from './dockerd.ts';
import { answers } from './ping.ts';
import { holdSignals } from './signals.ts';

const usualSocket = '/var/run/docker.sock';
const scheme = 'unix://';

export type Runtime = ContainerRuntimeClient;

/** A container engine of this machine. */
export interface Engine extends AsyncDisposable {
  readonly socket: string;
  readonly runtime: Runtime;
}

/**
 * Why there is no engine on this machine, and none can be started; undefined when there can. What
 * stands in `DOCKER_HOST` is asked first, then the usual socket, then that of an engine of ours.
 */
export async function missingForEngine(): Promise<string | undefined> {
  if (process.platform !== 'linux')
    return 'containers need Linux: their network is reached directly';
  if (process.getuid?.() !== 0) return 'containers need root: run as root';
  const wished = process.env['DOCKER_HOST'];
  if (wished !== undefined && !wished.startsWith(`${scheme}/`))
    return `containers need an engine on this machine, and DOCKER_HOST is ${wished}`;
  const hasLibrary = await import('testcontainers').then(
    () => true,
    () => false,
  );
  if (!hasLibrary) return 'containers need the npm package "testcontainers": npm install';
  if ((await answeringSocket()) !== undefined) return undefined;
  if (wished !== undefined) return `no container engine answers at ${wished}`;
  return missingForDockerd();
}

/**
 * The engine of this machine, or one of ours that is started for as long as it is needed.
 *
 * @param planned told of one of ours, before it is started.
 * @throws Error with the end of its log when it does not come up.
 */
export async function openEngine(
  say: (line: string) => void,
  planned: (engine: Pick<EngineFiles, 'socket' | 'pidFile'>) => void = () => undefined,
): Promise<Engine> {
  const found = await answeringSocket();
  if (found === undefined || found === ownEngine.socket) planned(ownEngine);
  if (found !== undefined) return engineAt(found);
  say('starting a container engine');
  await startDockerd(ownEngine);
  return engineAt(ownEngine.socket);
}

async function engineAt(socket: string): Promise<Engine> {
  // Ours also when another run has started it: the last one that needs it ends it.
  const pidFile = socket === ownEngine.socket ? ownEngine.pidFile : undefined;
  const held = holdSignals();
  return {
    socket,
    runtime: await runtimeAt(socket),
    async [Symbol.asyncDispose]() {
      held[Symbol.dispose]();
      if (pidFile !== undefined && (await endEngine(socket, pidFile))) await untilSilent(socket);
    },
  };
}

/** The library looks for its engine when it is first asked for its client, and in the environment. */
async function runtimeAt(socket: string): Promise<Runtime> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const before = process.env['DOCKER_HOST'];
  process.env['DOCKER_HOST'] = `${scheme}${socket}`;
  process.env['TESTCONTAINERS_HOST_OVERRIDE'] = 'localhost';
  try {
    return await getContainerRuntimeClient();
  } finally {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
  }
}

/** Where an engine answers now; undefined when none does. */
export async function answeringSocket(): Promise<string | undefined> {
  const wished = process.env['DOCKER_HOST']?.slice(scheme.length);
  const candidates = [...(wished === undefined ? [usualSocket] : [wished]), ownEngine.socket];
  for (const socket of candidates) if (await answers(socket)) return socket;
  return undefined;
}

const END_MS = 15_000;
const ASK_EVERY_MS = 100;

async function untilSilent(socket: string): Promise<void> {
  for (let waited = 0; waited < END_MS && (await answers(socket)); waited += ASK_EVERY_MS)
    await new Promise((resolve) => {
      setTimeout(resolve, ASK_EVERY_MS);
    });
}
