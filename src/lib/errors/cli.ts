import type { ErrorTraits } from './traits.ts';

export const cliErrors = {
  'config.unreadable': { grpc: 'NOT_FOUND', http: 500, retry: 'never' },
  'config.invalid': { grpc: 'INVALID_ARGUMENT', http: 500, retry: 'never' },
  'cli.usage': { grpc: 'INVALID_ARGUMENT', http: 400, retry: 'never' },
  'cli.file-exists': { grpc: 'ALREADY_EXISTS', http: 409, retry: 'never' },
  'cli.file-unreadable': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'cli.file-unwritable': { grpc: 'FAILED_PRECONDITION', http: 500, retry: 'never' },
  'cli.not-healed': { grpc: 'FAILED_PRECONDITION', http: 500, retry: 'never' },
  'cli.no-such-field': { grpc: 'NOT_FOUND', http: 404, retry: 'never' },
  'cli.too-many': { grpc: 'OUT_OF_RANGE', http: 400, retry: 'never' },
} as const satisfies Record<string, ErrorTraits>;
