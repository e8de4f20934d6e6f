/**
 * The agent process: one PKCS#11 module, one token, one parent. It blocks in the module as long as
 * the module pleases; the parent kills it when that is too long. It reads nothing but its parent's
 * messages, and ends when the parent is gone.
 */
import { StrongroomError } from '../../lib/index.ts';
import type { AgentReply, AgentRequest } from './protocol.ts';
import { TokenAgent } from './token-agent.ts';

const agent = new TokenAgent();

function answer(request: AgentRequest): AgentReply {
  const { id, method, args } = request;
  try {
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
  process.send?.(answer(message as AgentRequest));
});
// Signals meant for the whole process group (an operator's Ctrl-C) are the parent's business.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
process.title = 'strongroom hsm agent';
