/** Stands first in every answer of a vault operation. */
export const revision = {
  type: 'uint64',
  about: 'The revision that was read at or made',
} as const;

/** Page of a listing. */
export const pageFields = {
  after: { type: 'string', max: 512, about: 'Start after this name' },
  limit: { type: 'uint32', about: "At most so many; 0: the server's bound" },
} as const;

/** Names in one page of a listing. */
export const PAGE_LIMIT_MAX = 1000;

/** The page that a request asks for, bounded. */
export function pageOf(request: { readonly after: string; readonly limit: number }): {
  readonly after?: string;
  readonly limit: number;
} {
  const limit = request.limit === 0 ? PAGE_LIMIT_MAX : Math.min(request.limit, PAGE_LIMIT_MAX);
  return request.after === '' ? { limit } : { after: request.after, limit };
}
