import type { ErrorTraits } from './traits.ts';

export const auditErrors = {} as const satisfies Record<string, ErrorTraits>;
