/**
 * A load generator for unary gRPC calls on bare HTTP/2: bodies are framed by hand and answers are
 * only counted, so that it costs the machine a fraction of what a gRPC client does. Runs as a
 * process of its own and prints one JSON line. Each call has a key of its own, which rules out
 * tools that send one body for ever.
 *
 * Usage: node http2-load.ts '{"url":…,"call":…,"inFlight":64,"seconds":5,…}'
 */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { cpuMicroseconds, quantiles } from '../measure.ts';
import { type CallName, callBody, callPath } from './calls.ts';

export interface LoadPlan {
  /** Origins, such as `http://127.0.0.1:2379`; connections are spread over them. */
  readonly urls: readonly string[];
  readonly call: CallName;
  readonly inFlight: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly connections: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Keys are drawn from `[0, keys)`. */
  readonly keys: number;
  readonly valueBytes: number;
}

export interface LoadResult {
  readonly operations: number;
  readonly errors: number;
  readonly firstError: string | undefined;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the generator, microseconds an operation. */
  readonly clientCpuMicroseconds: number;
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  const sessions = await Promise.all(
    Array.from({ length: plan.connections }, (_, i) =>
      openSession(plan.urls[i % plan.urls.length] ?? ''),
    ),
  );
  const state = {
    counting: false,
    stopped: false,
    done: 0,
    errors: 0,
    firstError: undefined as string | undefined,
  };
  const latencies: number[] = [];
  let sequence = Math.floor(Math.random() * plan.keys);

  const callOnce = (session: ClientHttp2Session) =>
    new Promise<void>((resolve) => {
      const startedAt = performance.now();
      const stream = session.request({
        ':method': 'POST',
        ':path': callPath(plan.call),
        'content-type': 'application/grpc',
        te: 'trailers',
        ...plan.headers,
      });
      let status = '';
      const noteStatus = (headers: IncomingHttpHeaders) => {
        const value = headers['grpc-status'];
        const message = headers['grpc-message'];
        if (typeof value === 'string')
          status = `${value} ${typeof message === 'string' ? message : ''}`;
      };
      stream.on('response', noteStatus);
      stream.on('trailers', noteStatus);
      stream.on('error', (error) => {
        status = error.message;
      });
      stream.on('close', () => {
        if (state.counting) {
          if (status.startsWith('0 ')) {
            state.done++;
            latencies.push(performance.now() - startedAt);
          } else {
            state.errors++;
            state.firstError ??= status;
          }
        }
        resolve();
      });
      stream.resume();
      sequence = (sequence + 1) % plan.keys;
      stream.end(callBody(plan.call, sequence, plan.valueBytes));
    });

  const worker = async (session: ClientHttp2Session) => {
    while (!state.stopped) await callOnce(session);
  };
  const workers = Array.from({ length: plan.inFlight }, (_, i) =>
    worker(sessions[i % sessions.length] as ClientHttp2Session),
  );
  await pause(plan.warmupSeconds);
  state.counting = true;
  const cpuBefore = cpuMicroseconds(process.pid);
  const startedAt = performance.now();
  await pause(plan.seconds);
  state.counting = false;
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = cpuMicroseconds(process.pid) - cpuBefore;
  state.stopped = true;
  await Promise.all(workers);
  for (const session of sessions) session.close();
  const { p50, p99 } = quantiles(latencies);
  return {
    operations: state.done,
    errors: state.errors,
    firstError: state.firstError,
    seconds,
    perSecond: state.done / seconds,
    p50Ms: p50,
    p99Ms: p99,
    clientCpuMicroseconds: cpu / Math.max(1, state.done),
  };
}

function openSession(url: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(url, { settings: { initialWindowSize: 1 << 20 } });
    session.once('connect', () => resolve(session));
    session.once('error', reject);
  });
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
  });
}

const [planText] = process.argv.slice(2);
if (planText !== undefined) {
  const result = await run(JSON.parse(planText) as LoadPlan);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
