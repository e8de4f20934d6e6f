export type { ChaosConsole, ChaosDoor, RunWishes, SimulateWishes } from './chaos-door.ts';
export { exitStatus } from './errors/exit-status.ts';
export type { ApiClient, CliIo, Payload, Target } from './io.ts';
export { renderSection, renderTable } from './output/table.ts';
export { createProgram, runCli } from './program.ts';
