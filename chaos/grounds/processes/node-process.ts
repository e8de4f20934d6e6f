import { existsSync, rmSync, watch } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { NodeConfigInput } from '../../../src/server/config/index.ts';
import { type Launch, type Launched, launchHere } from './launch.ts';

const cli = new URL('../../../dist/cli/main.js', import.meta.url).pathname;
const READY_MS = 30_000;
/** A node that ends by itself lets requests end, or makes its state anew and serves again. */
const ENDING_MS = 20_000;

export interface ReadyFile {
  readonly node: number;
  readonly clusterId: string;
  readonly apiAddress: string;
  readonly peerAddress: string;
  readonly metricsAddress: string;
  readonly pid: number;
}

/** How a node is started. */
export interface NodeStart {
  /** Its main module; that of this build when absent. */
  readonly program?: string | undefined;
  /** Where it is started; as a process of this machine when absent. */
  readonly launch?: Launch | undefined;
}

/** One real node: a process of its own, with its own data directory and log file. */
export class NodeProcess {
  readonly name: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly #configFile: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #own: string;
  readonly #launch: Launch;
  #program: string;
  #launched: Launched | undefined;
  #ready: ReadyFile | undefined;
  #starting: Promise<ReadyFile> | undefined;
  /** What was ended from here. */
  #stopped: Launched | undefined;

  private constructor(
    name: string,
    dataDir: string,
    configFile: string,
    environment: Readonly<Record<string, string>>,
    { program = cli, launch = launchHere }: NodeStart,
  ) {
    this.name = name;
    this.dataDir = dataDir;
    this.logFile = join(dataDir, '..', `${name}.log`);
    this.#configFile = configFile;
    this.#environment = environment;
    this.#own = program;
    this.#program = program;
    this.#launch = launch;
  }

  static async create(
    folder: string,
    config: NodeConfigInput,
    environment: Readonly<Record<string, string>> = {},
    start: NodeStart = {},
  ): Promise<NodeProcess> {
    await mkdir(folder, { recursive: true });
    const configFile = join(folder, `${config.name}.yaml`);
    await writeFile(configFile, stringify(config), { mode: 0o600 });
    return new NodeProcess(config.name, config.dataDir, configFile, environment, start);
  }

  get ready(): ReadyFile {
    if (this.#ready === undefined) throw new Error(`Node ${this.name} was never ready`);
    return this.#ready;
  }

  get pid(): number {
    const pid = this.#launched?.pid;
    if (pid === undefined) throw new Error(`Node ${this.name} is not running`);
    return pid;
  }

  get running(): boolean {
    return this.#launched?.running ?? false;
  }

  /**
   * Sees to it that it runs and serves, whatever it is about just now: one that is starting is waited
   * for, and one that is ending by itself is started when it has. Resolves too when it is ended from
   * here meanwhile: whoever did that knows what comes next.
   * @throws Error with the end of its log.
   */
  async ensureStarted(): Promise<void> {
    const isEnding = () => this.running && !existsSync(join(this.dataDir, 'ready.json'));
    try {
      if (this.#starting === undefined && isEnding()) await this.#decided();
      await (this.#starting ?? (this.running ? undefined : this.start()));
    } catch (error) {
      if (this.#stopped !== this.#launched) throw error;
    }
  }

  /** Resolves when it has ended, or serves again; one that hangs over it is ended. */
  async #decided(): Promise<void> {
    const launched = this.#launched;
    if (launched === undefined || !this.running) return;
    const over = new AbortController();
    const timer = setTimeout(() => void launched.signal('SIGKILL'), ENDING_MS);
    try {
      await Promise.race([launched.ended, fileAppears(this.dataDir, 'ready.json', over.signal)]);
    } finally {
      over.abort();
      clearTimeout(timer);
    }
  }

  /** Starts it and waits until it serves (sealed or not). @throws Error with the end of its log. */
  start(): Promise<ReadyFile> {
    const starting = this.#start().finally(() => {
      if (this.#starting === starting) this.#starting = undefined;
    });
    this.#starting = starting;
    return starting;
  }

  async #start(): Promise<ReadyFile> {
    await mkdir(this.dataDir, { recursive: true });
    const readyFile = join(this.dataDir, 'ready.json');
    rmSync(readyFile, { force: true });
    const launched = await this.#launch({
      args: [this.#program, 'server', '-c', this.#configFile],
      environment: this.#environment,
      logFile: this.logFile,
    });
    this.#launched = launched;
    const stop = new AbortController();
    try {
      await Promise.race([
        fileAppears(this.dataDir, 'ready.json', stop.signal),
        launched.ended.then(() => {
          throw new Error(`Node ${this.name} ended before it was ready`);
        }),
      ]);
    } catch (error) {
      const text = await readFile(this.logFile, 'utf8').catch(() => '');
      throw new Error(`${String(error)}\n${text.slice(-3000)}`, { cause: error });
    } finally {
      stop.abort();
    }
    this.#ready = JSON.parse(await readFile(readyFile, 'utf8')) as ReadyFile;
    return this.#ready;
  }

  /** What the next start reads. */
  async configure(config: NodeConfigInput): Promise<void> {
    await writeFile(this.#configFile, stringify(config), { mode: 0o600 });
  }

  /** What the next start runs: the main module of another build; its own again when undefined. */
  useProgram(main: string | undefined): void {
    this.#program = main ?? this.#own;
  }

  /** Resolves when it was sent; one that has ended is no error. */
  async signal(name: NodeJS.Signals): Promise<void> {
    await this.#launched?.signal(name);
  }

  /** Ends it with `name` and waits until it is gone. @returns its exit code, null after a kill. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const launched = this.#launched;
    if (launched === undefined) return null;
    if (this.running) this.#stopped = launched;
    await launched.signal(name);
    return launched.ended;
  }

  log(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }
}

/** Resolves when `name` is in `folder`. */
async function fileAppears(folder: string, name: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const deadline = setTimeout(
      () => reject(new Error(`${join(folder, name)} did not appear within ${READY_MS} ms`)),
      READY_MS,
    );
    const done = () => {
      clearTimeout(deadline);
      watcher.close();
      resolve();
    };
    const watcher = watch(folder, () => {
      if (existsSync(join(folder, name))) done();
    });
    signal.addEventListener('abort', done, { once: true });
    if (existsSync(join(folder, name))) done();
  });
}
