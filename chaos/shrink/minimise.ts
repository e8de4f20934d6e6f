/**
 * Fewest of `items` for which `fails` still holds: delta debugging (Zeller and Hildebrandt 2002),
 * which leaves out ever smaller parts as long as the failure stays. The result cannot be made
 * smaller by leaving out one more.
 *
 * @param fails must hold for all `items`; asked at most `triesMax` times.
 */
export async function minimise<Item>(
  items: readonly Item[],
  fails: (some: readonly Item[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly Item[]> {
  let left = items;
  let parts = 2;
  let tries = 0;
  const holds = async (some: readonly Item[]) => ++tries <= triesMax && (await fails(some));
  if (left.length > 0 && (await holds([]))) return [];
  while (left.length >= 2 && tries < triesMax) {
    const smaller = await firstThatFails(withoutEach(left, parts), holds);
    if (smaller !== undefined) {
      left = smaller;
      parts = Math.max(2, parts - 1);
    } else if (parts >= left.length) {
      break;
    } else {
      parts = Math.min(left.length, 2 * parts);
    }
  }
  return left;
}

/** All but one of `parts` nearly equal parts, each once. */
function withoutEach<Item>(items: readonly Item[], parts: number): readonly (readonly Item[])[] {
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((part * items.length) / parts);
    const to = Math.floor(((part + 1) * items.length) / parts);
    return [...items.slice(0, from), ...items.slice(to)];
  });
}

async function firstThatFails<Item>(
  candidates: readonly (readonly Item[])[],
  fails: (some: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[] | undefined> {
  for (const candidate of candidates) if (await fails(candidate)) return candidate;
  return undefined;
}
