export type { Barrier, Place, Uuid } from './barrier.ts';
