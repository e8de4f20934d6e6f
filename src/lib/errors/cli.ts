import type { ErrorTraits } from './traits.ts';

export const cliErrors = {} as const satisfies Record<string, ErrorTraits>;
