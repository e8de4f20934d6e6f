import type { ErrorTraits } from './traits.ts';

export const clusterErrors = {} as const satisfies Record<string, ErrorTraits>;
