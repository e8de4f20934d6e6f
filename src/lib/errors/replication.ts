import type { ErrorTraits } from './traits.ts';

export const replicationErrors = {} as const satisfies Record<string, ErrorTraits>;
