import type { ErrorTraits } from './traits.ts';

export const sealErrors = {} as const satisfies Record<string, ErrorTraits>;
