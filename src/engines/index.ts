export { kvEngine } from './kv/kv-engine.ts';
