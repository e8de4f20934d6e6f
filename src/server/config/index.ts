export { makeNamedFolder, readNamedFile } from './named-files.ts';
export { nearestWord } from './nearest.ts';
export { parseNodeConfig, readNodeConfig } from './read-config.ts';
export type { NodeConfig, NodeConfigInput, SealSlotConfig } from './schema.ts';
