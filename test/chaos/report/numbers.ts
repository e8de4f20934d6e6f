import { SeededRandom } from '../../../src/lib/index.ts';

/** From 0 to 1, always the same for a seed. */
export const numberFrom = (seed: number) => new SeededRandom(seed).below(1_000) / 1_000;
