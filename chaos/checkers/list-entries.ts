import type { Entry } from '../history/history.ts';

/** Elements are appended once, and differ from one another. */
export type ListInput =
  | { readonly kind: 'append'; readonly key: string; readonly element: string }
  | { readonly kind: 'read'; readonly key: string };

export type ListOutput =
  | { readonly kind: 'appended'; readonly length: number; readonly revision: number }
  | { readonly kind: 'list'; readonly elements: readonly string[]; readonly revision: number };

export type ListEntry = Entry<ListInput, ListOutput>;

/** What one key's reads agree upon. */
export interface KeyOrder {
  readonly order: readonly string[];
  /** The read that told the most. */
  readonly longest: ListEntry | undefined;
  readonly appends: ReadonlyMap<string, ListEntry>;
  readonly reads: readonly ListEntry[];
}

export const elementsOf = (entry: ListEntry | undefined): readonly string[] =>
  entry?.output?.kind === 'list' ? entry.output.elements : [];
