import { StrongroomError } from '../../lib/index.ts';
import type { Payload } from '../io.ts';
import { renderTable } from '../output/table.ts';
import type { Session } from '../session.ts';

const PAGE = 1000;
/** What one list command keeps in memory; beyond it, page with --after and --limit. */
const ITEMS_MAX = 200_000;

/**
 * Fetches all pages of a list, or as many items as `--limit` says.
 *
 * @param field where the answer has its items.
 * @throws StrongroomError `cli.too-many`
 */
export async function listAll(
  session: Session,
  operation: string,
  request: Payload,
  field: string,
  nameOf: (item: unknown) => string = String,
): Promise<{ readonly items: readonly unknown[]; readonly document: Payload }> {
  const limit = session.options.number('limit');
  const items: unknown[] = [];
  let after = session.options.text('after') ?? '';
  for (;;) {
    const page = Math.min(PAGE, (limit ?? Number.POSITIVE_INFINITY) - items.length);
    const answer = await session.call(operation, { ...request, after, limit: page });
    const found = Array.isArray(answer[field]) ? answer[field] : [];
    items.push(...found);
    const isDone = answer['more'] !== true || found.length === 0;
    if (isDone || (limit !== undefined && items.length >= limit)) {
      return { items, document: { ...answer, [field]: items } };
    }
    if (items.length >= ITEMS_MAX) {
      throw new StrongroomError(
        'cli.too-many',
        `Cannot list more than ${ITEMS_MAX} at once: page with --after and --limit`,
      );
    }
    after = nameOf(items.at(-1));
  }
}

export function printNames(session: Session, names: readonly string[], document: Payload): void {
  session.print({
    document,
    table: () =>
      names.length === 0
        ? 'None.\n'
        : renderTable(
            ['Keys'],
            names.map((name) => [name]),
          ),
  });
}
