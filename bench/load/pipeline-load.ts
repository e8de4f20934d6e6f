/**
 * A load generator for PipelineService/Open on bare HTTP/2: one stream a connection, frames written
 * and read by hand, all calls of a turn of the event loop in one frame. Takes the plan and prints the
 * result of http2-load.ts.
 *
 * Usage: node pipeline-load.ts '{"urls":…,"call":"strongroom.put","inFlight":64,"seconds":5,…}'
 */
import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import protobuf from 'protobufjs/minimal.js';
import { cpuMicroseconds, quantiles } from '../measure.ts';
import { callMessage, operationOf } from './calls.ts';
import { framed, MessageReader } from './grpc-frames.ts';
import type { LoadPlan, LoadResult } from './http2-load.ts';

const PATH = '/strongroom.v1.PipelineService/Open';

/** Counts for all streams together; `counting` is set between warm-up and end. */
class Tally {
  counting = false;
  stopped = false;
  done = 0;
  errors = 0;
  firstError: string | undefined;
  readonly latencies: number[] = [];
  #sequence: number;
  readonly #keys: number;

  constructor(keys: number) {
    this.#keys = keys;
    this.#sequence = Math.floor(Math.random() * keys);
  }

  nextKey(): number {
    this.#sequence = (this.#sequence + 1) % this.#keys;
    return this.#sequence;
  }

  note(latencyMs: number, error: string | undefined): void {
    if (!this.counting) return;
    if (error === undefined) {
      this.done++;
      this.latencies.push(latencyMs);
    } else {
      this.errors++;
      this.firstError ??= error;
    }
  }

  fail(error: string): void {
    this.errors++;
    this.firstError ??= error;
  }
}

/** One stream that keeps `slots` calls in flight. A slot's number is the id of its calls. */
class PipelineStream {
  readonly #plan: LoadPlan;
  readonly #tally: Tally;
  readonly #stream: ClientHttp2Stream;
  readonly #startedAt: number[] = [];
  readonly #reader = new MessageReader((message) => this.#onFrame(message));
  readonly ended: Promise<void>;
  #free: number[];
  #scheduled = false;

  constructor(plan: LoadPlan, tally: Tally, stream: ClientHttp2Stream, slots: number) {
    this.#plan = plan;
    this.#tally = tally;
    this.#stream = stream;
    this.#free = Array.from({ length: slots }, (_, i) => i + 1);
    this.ended = new Promise((resolve) => stream.once('close', resolve));
    const noteStatus = (headers: IncomingHttpHeaders) => {
      const status = headers['grpc-status'];
      if (status !== undefined && status !== '0')
        tally.fail(`${String(status)} ${String(headers['grpc-message'] ?? '')}`);
    };
    stream.on('response', noteStatus);
    stream.on('trailers', noteStatus);
    stream.on('error', (error) => tally.fail(error.message));
    stream.on('data', (chunk: Buffer) => this.#reader.push(chunk));
    this.#flush();
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#tally.stopped) {
      this.#stream.end();
      return;
    }
    const now = performance.now();
    const writer = protobuf.Writer.create();
    for (const slot of this.#free) {
      this.#startedAt[slot] = now;
      // PipelineFrame.calls = 2 of PipelineCall { id = 1; operation = 2; request = 3; }
      writer.uint32(18).fork().uint32(8).uint32(slot).uint32(18).string(this.#operation);
      writer.uint32(26).bytes(this.#request()).ldelim();
    }
    this.#free = [];
    this.#stream.write(framed(writer.finish()));
  }

  get #operation(): string {
    return operationOf(this.#plan.call);
  }

  #request(): Uint8Array {
    return callMessage(this.#plan.call, this.#tally.nextKey(), this.#plan.valueBytes);
  }

  #onFrame(message: Uint8Array): void {
    const now = performance.now();
    const reader = protobuf.Reader.create(message);
    while (reader.pos < reader.len) {
      // PipelineAnswerFrame has nothing but answers = 1.
      reader.uint32();
      const end = reader.uint32() + reader.pos;
      const { id, error } = readAnswer(reader, end);
      this.#tally.note(now - (this.#startedAt[id] ?? now), error);
      this.#free.push(id);
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }
}

/** PipelineAnswer { id = 1; response = 2; error = 3; } */
function readAnswer(reader: protobuf.Reader, end: number): { id: number; error?: string } {
  let id = 0;
  let error: string | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) id = reader.uint32();
    else if (tag >>> 3 === 3) error = new TextDecoder().decode(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return error === undefined ? { id } : { id, error };
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  const tally = new Tally(plan.keys);
  const sessions = await Promise.all(
    Array.from({ length: plan.connections }, (_, i) => open(plan.urls[i % plan.urls.length] ?? '')),
  );
  const streams = sessions.map((session, i) => {
    const share = Math.floor((plan.inFlight + i) / plan.connections);
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...plan.headers,
    });
    return new PipelineStream(plan, tally, stream, share);
  });
  await pause(plan.warmupSeconds);
  tally.counting = true;
  const cpuBefore = cpuMicroseconds(process.pid);
  const startedAt = performance.now();
  await pause(plan.seconds);
  tally.counting = false;
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = cpuMicroseconds(process.pid) - cpuBefore;
  tally.stopped = true;
  // Whoever does not end by itself is cut; nothing may keep this process, or its CPU time counts.
  const cut = setTimeout(() => {
    for (const session of sessions) session.destroy();
  }, 10_000);
  await Promise.all(streams.map((stream) => stream.ended));
  clearTimeout(cut);
  for (const session of sessions) session.destroy();
  const { p50, p99 } = quantiles(tally.latencies);
  return {
    operations: tally.done,
    errors: tally.errors,
    firstError: tally.firstError,
    seconds,
    perSecond: tally.done / seconds,
    p50Ms: p50,
    p99Ms: p99,
    clientCpuMicroseconds: cpu / Math.max(1, tally.done),
  };
}

function open(url: string): Promise<ReturnType<typeof connect>> {
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
