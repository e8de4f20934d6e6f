/**
 * The agent process: one PKCS#11 module, one token, one parent. It blocks in the module as long as
 * the module pleases; the parent kills it when that is too long. It reads nothing but its parent's
 * messages, and ends when the parent is gone.
 */
import { Worker } from 'node:worker_threads';
import { StrongroomError } from '../../lib/index.ts';
import type { AgentReply, AgentRequest } from './protocol.ts';
import type { TokenAgent } from './token-agent.ts';

/**
 * A thread that ends the agent when its parent is gone: a module that never answers holds the agent's
 * own thread for ever, and with it a session of the HSM. A text, because it has to be JavaScript also
 * where the agent runs from source.
 */
const ORPHAN_WATCH = `
  const { workerData } = require('node:worker_threads');
  setInterval(() => {
    if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL');
  }, 1000);
`;

// Loaded while the first call may be on its way, so that a binding that does not load is an answer
// and not the end of this process.
const loading = load();

async function load(): Promise<TokenAgent | StrongroomError> {
  try {
    const loaded = await import('./token-agent.ts');
    return new loaded.TokenAgent();
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return new StrongroomError(
      'hsm.module-missing',
      `Cannot load the PKCS#11 binding: ${why}; install python3, make and g++, then run "npm run build", which compiles it`,
    );
  }
}

async function answer(request: AgentRequest): Promise<AgentReply> {
  const { id, method, args } = request;
  try {
    const agent = await loading;
    if (agent instanceof StrongroomError) throw agent;
    // The parent is this same program: its calls are typed by `AgentCalls`.
    const call = agent[method].bind(agent) as (...values: readonly unknown[]) => unknown;
    return { id, result: call(...args) };
  } catch (error) {
    const failure =
      error instanceof StrongroomError
        ? error
        : new StrongroomError('hsm.misuse', `The agent failed in ${method}`);
    return {
      id,
      failure: { code: failure.code, message: failure.message, details: failure.details },
    };
  }
}

process.on('message', (message) => {
  void answer(message as AgentRequest).then((reply) => process.send?.(reply));
});
// Signals meant for the whole process group (an operator's Ctrl-C) are the parent's business.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
new Worker(ORPHAN_WATCH, { eval: true, execArgv: [], workerData: process.ppid }).unref();
process.title = 'strongroom hsm agent';
