export type { ApiClient, CliIo, Payload, Target } from './io.ts';
export { createProgram, runCli } from './program.ts';
