import type { ErrorTraits } from './traits.ts';

export const hsmErrors = {} as const satisfies Record<string, ErrorTraits>;
