import type { ErrorTraits } from './traits.ts';

export const barrierErrors = {} as const satisfies Record<string, ErrorTraits>;
