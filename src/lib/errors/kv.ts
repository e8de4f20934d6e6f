import type { ErrorTraits } from './traits.ts';

export const kvErrors = {} as const satisfies Record<string, ErrorTraits>;
