export { KeptRoot } from '../seal/index.ts';
export {
  type NodeConfig,
  type NodeConfigInput,
  parseNodeConfig,
  readNodeConfig,
} from './config/index.ts';
export { wantRebuild } from './integrity/rebuild-note.ts';
export { type RunningNode, startNode } from './node.ts';
export { verifySnapshotFile } from './snapshots/snapshot-file.ts';
