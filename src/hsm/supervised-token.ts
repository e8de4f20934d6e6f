import { stat } from 'node:fs/promises';
import { type Clock, hasCode, type Random, StrongroomError } from '../lib/index.ts';
import type { Counter, Histogram, Logger, Metrics } from '../telemetry/index.ts';
import type { AgentCalls, AgentMethod, TokenFacts } from './agent/protocol.ts';
import { wrapWithPublicKey } from './agent/wrap-public.ts';
import { AgentProcess } from './agent-process.ts';
import { Breaker } from './breaker.ts';
import type { PinGuard } from './pin-guard.ts';
import type { PinSource } from './pin-source.ts';
import type {
  KekInfo,
  ProbeFinding,
  Token,
  TokenAddress,
  TokenInfo,
  WrapMechanism,
} from './token.ts';

export interface TokenDeadlines {
  /** Starting the agent and the module, and finding the token. */
  readonly openMs: number;
  readonly loginMs: number;
  /** RSA keys take seconds on slow devices. */
  readonly generateMs: number;
  /** Every other call. */
  readonly callMs: number;
}

export const defaultDeadlines: TokenDeadlines = {
  openMs: 15_000,
  loginMs: 10_000,
  generateMs: 60_000,
  callMs: 2_000,
};

export interface TokenOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Shared by all tokens of the process. */
  readonly guard: PinGuard;
  readonly deadlines?: Partial<TokenDeadlines>;
}

/** An unset user PIN is also what SoftHSM says while another process makes tokens: ask again. */
const PIN_UNSET_TRIES = 3;
/** What shows in no file, such as a PIN changed in the token itself, is found after this long. */
const REHEARSE_EVERY_MS = 3_600_000;

/** Keeps one agent logged in, and replaces it when it stalls, crashes or loses its device. */
export class SupervisedToken implements Token {
  readonly #address: TokenAddress;
  readonly #pin: PinSource;
  readonly #options: TokenOptions;
  readonly #deadlines: TokenDeadlines;
  readonly #breaker: Breaker;
  readonly #callSeconds: Histogram;
  readonly #replacements: Counter;
  #agent: AgentProcess | undefined;
  #opening: Promise<AgentProcess> | undefined;
  #info: TokenInfo | undefined;
  /** A refused PIN, and the version of the source that it came from. */
  #refused: { readonly error: StrongroomError; readonly version: string } | undefined;
  /** What the last login went through, and when it was. */
  #lastLogin: { readonly way: string; readonly atMs: number } | undefined;
  #rehearsing: AgentProcess | undefined;
  #closed = false;

  constructor(address: TokenAddress, pin: PinSource, options: TokenOptions) {
    this.#address = address;
    this.#pin = pin;
    this.#options = options;
    this.#deadlines = { ...defaultDeadlines, ...options.deadlines };
    this.#breaker = new Breaker(options.clock, options.random, address.label);
    this.#callSeconds = options.metrics.histogram({
      name: 'strongroom_hsm_call_seconds',
      help: 'Calls to the HSM, with the way to its agent.',
      labels: ['method', 'outcome'],
      buckets: [0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    });
    this.#replacements = options.metrics.counter({
      name: 'strongroom_hsm_agent_replacements_total',
      help: 'Agents that were killed or had died, by reason.',
      labels: ['reason'],
    });
  }

  get info(): TokenInfo {
    if (this.#info === undefined) {
      throw new StrongroomError('hsm.unavailable', `Token "${this.#address.label}" is not open`);
    }
    return this.#info;
  }

  /** The running agent's process id, for whoever watches or torments it. */
  get agentPid(): number | undefined {
    return this.#agent?.pid;
  }

  /** Starts the agent and logs in. @throws StrongroomError `hsm.*` */
  async open(): Promise<void> {
    await this.#ready();
  }

  generateKek(label: string, mechanism: WrapMechanism): Promise<KekInfo> {
    // Never repeated: the first try may have made the key before the link broke.
    return this.#call('generateKek', [label, mechanism], this.#deadlines.generateMs, false);
  }

  findKek(
    label: string,
    mechanism: WrapMechanism,
    fingerprint?: Uint8Array,
  ): Promise<KekInfo | undefined> {
    const args: Parameters<AgentCalls['findKek']> =
      fingerprint === undefined ? [label, mechanism] : [label, mechanism, fingerprint];
    return this.#call('findKek', args);
  }

  destroyKek(label: string): Promise<void> {
    return this.#call('destroyKek', [label], this.#deadlines.callMs, false);
  }

  async wrap(kek: KekInfo, secret: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
    if (kek.mechanism !== 'aes-gcm') return wrapWithPublicKey(kek, secret);
    return this.#call('wrap', [kek, secret, context]);
  }

  unwrap(kek: KekInfo, wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
    return this.#call('unwrap', [kek, wrapped, context]);
  }

  proveKek(kek: KekInfo): Promise<void> {
    return this.#call('proveKek', [kek]);
  }

  probeKek(kek: KekInfo): Promise<readonly ProbeFinding[]> {
    return this.#call('probeKek', [kek]);
  }

  randomBytes(count: number): Promise<Uint8Array> {
    return this.#call('randomBytes', [count]);
  }

  async rehearse(): Promise<void> {
    const way = await this.#wayThere();
    const last = this.#lastLogin;
    const isKnown = last?.way === way;
    if (isKnown && this.#options.clock.monotonicMs() - last.atMs < REHEARSE_EVERY_MS) return;
    await this.#refuseKnownPin();
    if (this.#closed || this.#agent === undefined) return;
    const agent = this.#newAgent();
    this.#rehearsing = agent;
    try {
      await this.#logIn(agent);
    } catch (error) {
      // A cluster that cannot be asked just now says nothing of a way that worked.
      if (!isKnown || !(error instanceof StrongroomError) || error.code.startsWith('hsm.')) {
        throw error;
      }
    } finally {
      agent.kill();
      this.#rehearsing = undefined;
    }
  }

  rest(): void {
    this.#rehearsing?.kill();
    this.#agent?.kill();
    this.#agent = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#rehearsing?.kill();
    this.#agent?.kill();
    await this.#opening?.catch(() => undefined);
    this.#agent?.kill();
    this.#agent = undefined;
  }

  async #call<Method extends AgentMethod>(
    method: Method,
    args: Parameters<AgentCalls[Method]>,
    deadlineMs = this.#deadlines.callMs,
    repeatable = true,
  ): Promise<ReturnType<AgentCalls[Method]>> {
    const began = this.#options.clock.monotonicMs();
    const seen = (outcome: string): void =>
      this.#callSeconds.observe((this.#options.clock.monotonicMs() - began) / 1000, {
        method,
        outcome,
      });
    try {
      const wasOpen = this.#agent?.alive === true;
      let result: ReturnType<AgentCalls[Method]>;
      try {
        result = await this.#once(method, args, deadlineMs);
      } catch (error) {
        // A device that restarted voids every handle of an agent that knew it before: one fresh
        // agent makes that invisible. A stalled one has used the caller's time up.
        const heals = wasOpen && hasCode(error, 'hsm.unavailable', 'hsm.module-crashed');
        if (!repeatable || !heals || this.#closed) throw error;
        result = await this.#once(method, args, deadlineMs);
      }
      seen('ok');
      return result;
    } catch (error) {
      seen(error instanceof StrongroomError ? error.code : 'bug');
      throw error;
    }
  }

  async #once<Method extends AgentMethod>(
    method: Method,
    args: Parameters<AgentCalls[Method]>,
    deadlineMs: number,
  ): Promise<ReturnType<AgentCalls[Method]>> {
    const agent = await this.#ready();
    try {
      const result = await agent.call(method, args, deadlineMs);
      this.#breaker.succeeded();
      return result;
    } catch (error) {
      if (wantsNewAgent(error)) this.#replace(agent, error);
      throw error;
    }
  }

  /** The logged-in agent; one start at a time, however many wait for it. */
  async #ready(): Promise<AgentProcess> {
    if (this.#closed) {
      throw new StrongroomError('hsm.closed', `Token "${this.#address.label}" was closed`);
    }
    if (this.#agent?.alive === true) return this.#agent;
    if (this.#opening === undefined) {
      this.#opening = this.#start().finally(() => {
        this.#opening = undefined;
      });
    }
    return this.#opening;
  }

  async #start(): Promise<AgentProcess> {
    await this.#refuseKnownPin();
    this.#breaker.check();
    for (let tryNumber = 1; ; tryNumber++) {
      const agent = this.#newAgent();
      this.#agent = agent;
      try {
        await this.#logIn(agent);
        this.#breaker.succeeded();
        return agent;
      } catch (error) {
        this.#replace(agent, error);
        if (!isPinUnset(error) || tryNumber === PIN_UNSET_TRIES) throw error;
      }
    }
  }

  #newAgent(): AgentProcess {
    const { label, environment = {} } = this.#address;
    return new AgentProcess(this.#options.clock, label, environment);
  }

  /** What a new agent would find: it changes when somebody touches the PIN or the module. */
  async #wayThere(): Promise<string> {
    const { label, module } = this.#address;
    const version = await this.#pin.version();
    // A bare name is looked up by the loader, who alone knows where.
    if (!module.includes('/')) return version;
    try {
      const { ino, size, mtimeMs } = await stat(module);
      return `${version} ${ino}/${size}/${mtimeMs}`;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StrongroomError(
        'hsm.module-missing',
        `Token "${label}" could not be reached after a restart, its module is gone: ${why}; install it or mend the path in the slot's configuration`,
        { cause },
      );
    }
  }

  async #logIn(agent: AgentProcess): Promise<void> {
    const { environment: _parentsOnly, ...address } = this.#address;
    const way = await this.#wayThere().catch(() => '');
    const facts = await agent.call('open', [address], this.#deadlines.openMs);
    refuseEndangeredPin(facts);
    const version = await this.#pin.version();
    using pin = await this.#pin.read();
    try {
      await this.#options.guard.present(facts, pin, async () => {
        // PKCS#11 takes a string through this binding; it lives for this one message.
        const text = Buffer.from(pin.reveal()).toString('utf8');
        await agent.call('login', [text], this.#deadlines.loginMs);
      });
    } catch (error) {
      if (hasCode(error, 'hsm.pin-rejected')) {
        this.#refused = { error, version };
        this.#pin.rejected();
      }
      throw error;
    }
    this.#refused = undefined;
    this.#lastLogin = { way, atMs: this.#options.clock.monotonicMs() };
    const { label, serial, manufacturer, model } = facts;
    this.#info = { label, serial, manufacturer, model };
    if (facts.pinCountLow) {
      this.#options.log.warn(
        { tokenLabel: label, serial },
        'Somebody gave this token a wrong PIN since the last login',
      );
    }
  }

  async #refuseKnownPin(): Promise<void> {
    if (this.#refused === undefined) return;
    if ((await this.#pin.version()) === this.#refused.version) throw this.#refused.error;
  }

  #replace(agent: AgentProcess, error: unknown): void {
    agent.kill();
    if (this.#agent === agent) {
      this.#agent = undefined;
      // A refused PIN, or a guard that cannot ask the cluster, says nothing against the device.
      if (isDeviceTrouble(error)) {
        this.#breaker.failed(error, hasCode(error, 'hsm.module-crashed'));
      }
    }
    const reason = error instanceof StrongroomError ? error.code : 'bug';
    this.#replacements.add(1, { reason });
    if (this.#closed) return;
    const pid = agent.pid;
    this.#options.log.warn({ tokenLabel: this.#address.label, reason, pid }, 'HSM agent put away');
  }
}

/** A token that is opened by its first call, and opened again whenever it was lost. */
export function superviseToken(
  address: TokenAddress,
  pin: PinSource,
  options: TokenOptions,
): Token {
  return new SupervisedToken(address, pin, options);
}

/** Opens a token and logs in. @throws StrongroomError `hsm.*`; nothing is left running then. */
export async function openToken(
  address: TokenAddress,
  pin: PinSource,
  options: TokenOptions,
): Promise<Token> {
  const token = new SupervisedToken(address, pin, options);
  try {
    await token.open();
  } catch (error) {
    await token[Symbol.asyncDispose]();
    throw error;
  }
  return token;
}

function wantsNewAgent(error: unknown): boolean {
  return hasCode(
    error,
    'hsm.unavailable',
    'hsm.timeout',
    'hsm.module-crashed',
    'hsm.token-missing',
  );
}

function isDeviceTrouble(error: unknown): boolean {
  return wantsNewAgent(error) || hasCode(error, 'hsm.module-missing');
}

function isPinUnset(error: unknown): boolean {
  return (
    hasCode(error, 'hsm.pin-unusable') && error.details['ckr'] === 'CKR_USER_PIN_NOT_INITIALIZED'
  );
}

/** The last try is a human's to make, not a machine's. */
function refuseEndangeredPin(facts: TokenFacts): void {
  const details = { token: facts.label };
  if (facts.pinLocked) {
    throw new StrongroomError(
      'hsm.pin-locked',
      `The user PIN of token "${facts.label}" is locked: the security officer unlocks it by setting a new one (C_InitPIN)`,
      { details },
    );
  }
  if (facts.pinFinalTry) {
    throw new StrongroomError(
      'hsm.pin-final-try',
      `Token "${facts.label}" has one PIN try left before it locks, which is not spent unattended: log in once by hand (pkcs11-tool --login) to reset its counter`,
      { details },
    );
  }
}
