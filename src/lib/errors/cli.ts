import type { ErrorTraits } from './traits.ts';

export const cliErrors = {
  'config.unreadable': { grpc: 'NOT_FOUND', http: 500, retry: 'never' },
  'config.invalid': { grpc: 'INVALID_ARGUMENT', http: 500, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
