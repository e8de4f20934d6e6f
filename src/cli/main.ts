#!/usr/bin/env node
import { processIo } from './process-io.ts';
import { runCli } from './program.ts';

// Names of TLS peers are IP addresses on a local cluster, about which Node warns on every start.
process.noDeprecation = true;

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: a second Ctrl-C ends the process at once.
  process.once(signal, () => stopping.abort(new Error(signal)));
}
// A reader that went away (`| head`) is no failure of ours.
process.stdout.on('error', () => process.exit(0));

const status = await runCli(process.argv.slice(2), processIo(stopping.signal));
// Not `process.exit`: what was written must reach a slow pipe. A node has closed everything it had.
// A node sets its own.
if (status !== 0) process.exitCode = status;
process.stdin.unref?.();
