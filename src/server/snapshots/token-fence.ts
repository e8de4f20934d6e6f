import { sealedRange } from '../../barrier/index.ts';
import { concatBytes } from '../../lib/index.ts';
import type { Store } from '../../store/index.ts';
import { SYSTEM_MOUNT, systemKind } from '../../vault/index.ts';

/** First byte of every key that the barrier makes, and where the namespace's uuid is in it. */
const SEALED_SPACE = Uint8Array.of(0x10);
const AFTER_SEALED_SPACE = Uint8Array.of(0x11);
const NAMESPACE = [1, 17] as const;
const MOUNT = [17, 33] as const;
const KIND_AT = 33;
const PAGE = 500;

export interface StoreRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** Whether a token's record is stored under `key`. */
export function isTokenKey(key: Uint8Array): boolean {
  return (
    key[0] === SEALED_SPACE[0] &&
    key[KIND_AT] === systemKind.token &&
    Buffer.compare(key.subarray(...MOUNT), SYSTEM_MOUNT) === 0
  );
}

/** Where each namespace of the state keeps its tokens, in order. */
export async function tokenRanges(store: Store): Promise<readonly StoreRange[]> {
  using view = store.view();
  const ranges: StoreRange[] = [];
  let start: Uint8Array = SEALED_SPACE;
  for (;;) {
    const page = await view.range({ start, end: AFTER_SEALED_SPACE, limit: 1, keysOnly: true });
    const key = page[0]?.key;
    if (key === undefined) return ranges;
    const namespace = key.slice(...NAMESPACE);
    ranges.push(sealedRange(namespace, SYSTEM_MOUNT, systemKind.token));
    start = sealedRange(namespace).end;
  }
}

/** The keys of all tokens, a page at a time, as of now. */
export async function* tokenKeys(store: Store): AsyncGenerator<readonly Uint8Array[]> {
  for (const { start: first, end } of await tokenRanges(store)) {
    let start = first;
    for (;;) {
      using view = store.view();
      const page = await view.range({ start, end, limit: PAGE, keysOnly: true });
      const keys = page.map(({ key }) => key);
      if (keys.length > 0) yield keys;
      const last = keys.at(-1);
      if (last === undefined || keys.length < PAGE) break;
      start = concatBytes(last, Uint8Array.of(0));
    }
  }
}
