export type {
  ChaosConsole,
  ChaosDoor,
  LiveWishes,
  RunWishes,
  SimulateWishes,
} from './chaos-door.ts';
export { exitStatus } from './errors/exit-status.ts';
export type { ApiClient, CliIo, Payload, Target } from './io.ts';
export {
  caFileOf,
  type LocalCluster,
  type LocalNode,
  readLocalCluster,
  rootTokenFile,
} from './local-cluster/layout.ts';
export {
  nodeProgram,
  pidOf,
  readyOf,
  startNodeProcess,
  stopNodeProcess,
} from './local-cluster/processes.ts';
export { unsealWithShares } from './local-cluster/shares.ts';
export { renderSection, renderTable } from './output/table.ts';
export { createProgram, runCli } from './program.ts';
