import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Clock, type ErrorCode, StrongroomError, type Timer } from '../lib/index.ts';
import type { AgentCalls, AgentMethod, AgentReply } from './agent/protocol.ts';

/** Calls that may wait for one agent; one HSM call takes well under a millisecond. */
const PENDING_MAX = 256;

/** Variables that steer Node itself, or may hold what a third-party library has no business with. */
const WITHHELD = /^NODE_|PIN|PASSW|SECRET|TOKEN|CREDENTIAL|PRIVATE/i;

interface Pending {
  readonly method: AgentMethod;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
}

/**
 * One forked agent. A call that outlives its deadline, and whatever waits behind it, fails with
 * `hsm.timeout` and the process is killed: a native call can be ended in no other way.
 */
export class AgentProcess {
  readonly #clock: Clock;
  readonly #token: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended: StrongroomError | undefined;

  constructor(clock: Clock, token: string, environment: Readonly<Record<string, string>>) {
    this.#clock = clock;
    this.#token = token;
    const { path, execArgv } = entry();
    this.#child = fork(path, [], {
      execArgv: [...execArgv],
      env: { ...passedOn(process.env), ...environment },
      serialization: 'advanced',
      // Nothing that a module prints reaches our log: some print what they are given.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (reply) => this.#settle(reply as AgentReply));
    this.#child.on('error', (cause) => this.#end('hsm.unavailable', `failed: ${cause.message}`));
    this.#child.on('exit', (status, signal) =>
      this.#end('hsm.module-crashed', `ended unasked (${signal ?? `exit status ${status}`})`),
    );
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#ended === undefined;
  }

  /** @throws StrongroomError `hsm.*`, the agent's own or for its end. */
  call<Method extends AgentMethod>(
    method: Method,
    args: Parameters<AgentCalls[Method]>,
    deadlineMs: number,
  ): Promise<ReturnType<AgentCalls[Method]>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#pending.size >= PENDING_MAX) {
      return Promise.reject(
        new StrongroomError(
          'hsm.sessions-exhausted',
          `Token "${this.#token}" has ${PENDING_MAX} calls waiting already`,
        ),
      );
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(deadlineMs, () => {
        const waited = `gave no answer to ${method} in ${deadlineMs} ms and was killed`;
        this.#end('hsm.timeout', waited);
      });
      const settle = resolve as (result: unknown) => void;
      this.#pending.set(id, { method, resolve: settle, reject, timer });
      this.#child.send({ id, method, args }, (error) => {
        if (error !== null) this.#end('hsm.unavailable', 'takes no messages any more');
      });
    });
  }

  /** Ends it at once. Waiting calls fail with `hsm.closed`. */
  kill(): void {
    this.#end('hsm.closed', 'was closed');
  }

  #settle(reply: AgentReply): void {
    const waiting = this.#pending.get(reply.id);
    if (waiting === undefined) return;
    this.#pending.delete(reply.id);
    waiting.timer.cancel();
    if ('failure' in reply) {
      const { code, message, details } = reply.failure;
      waiting.reject(new StrongroomError(code, message, { details }));
    } else {
      waiting.resolve(reply.result);
    }
  }

  #end(code: ErrorCode, what: string): void {
    if (this.#ended !== undefined) return;
    const error = new StrongroomError(code, `The agent of token "${this.#token}" ${what}`, {
      details: { token: this.#token },
    });
    this.#ended = error;
    this.#child.kill('SIGKILL');
    if (this.#child.connected) this.#child.disconnect();
    for (const waiting of this.#pending.values()) {
      waiting.timer.cancel();
      waiting.reject(error);
    }
    this.#pending.clear();
  }
}

/** The compiled agent beside the compiled program; from source it needs a loader of TypeScript. */
function entry(): { readonly path: string; readonly execArgv: readonly string[] } {
  const compiled = !import.meta.url.endsWith('.ts');
  const path = fileURLToPath(
    new URL(`./agent/agent-main.${compiled ? 'js' : 'ts'}`, import.meta.url),
  );
  if (compiled) return { path, execArgv: [] };
  const loader = createRequire(import.meta.url).resolve('tsx');
  return { path, execArgv: ['--import', loader] };
}

function passedOn(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !WITHHELD.test(name)) kept[name] = value;
  }
  return kept;
}
