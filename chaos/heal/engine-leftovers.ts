import { readFileSync } from 'node:fs';
import { request } from 'node:http';

const ASK_MS = 30_000;

/** Every container and network that a run makes has it; its value is the run's own. */
export const runLabel = 'strongroom.chaos.run';

/**
 * Removes every container and network of one run from a container engine, running or not. Speaks
 * with the engine's socket itself: what heals must not need what was lost with the runner.
 *
 * @returns how many were removed; 0 when nobody answers on that socket, for then none runs there.
 */
export async function removeRun(socket: string, run: string): Promise<number> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`${runLabel}=${run}`] }));
  const containers = await list(socket, `/containers/json?all=true&filters=${filters}`);
  await Promise.all(
    containers.map((id) => ask(socket, 'DELETE', `/containers/${id}?force=true&v=true`)),
  );
  const networks = await list(socket, `/networks?filters=${filters}`);
  await Promise.all(networks.map((id) => ask(socket, 'DELETE', `/networks/${id}`)));
  return containers.length + networks.length;
}

/**
 * Ends an engine that a run has started, unless another run has containers there.
 *
 * @returns whether it was told to end.
 */
export async function endEngine(socket: string, pidFile: string): Promise<boolean> {
  const filters = encodeURIComponent(JSON.stringify({ label: [runLabel] }));
  const others = await list(socket, `/containers/json?all=true&filters=${filters}`);
  if (others.length > 0) return false;
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return pid > 1 && nameOf(pid) === 'dockerd' && process.kill(pid, 'SIGTERM');
  } catch {
    // It has ended already.
    return false;
  }
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

async function list(socket: string, path: string): Promise<readonly string[]> {
  const answer = await ask(socket, 'GET', path);
  if (answer === undefined) return [];
  return (JSON.parse(answer) as { readonly Id: string }[]).map((one) => one.Id);
}

/** The body of the answer; undefined when there is none, or it is a refusal (it is gone already). */
function ask(socket: string, method: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: socket, method, path, timeout: ASK_MS }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => resolve(undefined));
      answer.on('end', () => {
        const isFine = (answer.statusCode ?? 500) < 300;
        resolve(isFine ? Buffer.concat(chunks).toString('utf8') : undefined);
      });
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
