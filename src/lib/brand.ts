declare const brand: unique symbol;

/** A `T` that cannot be confused with another `T`: `Branded<number, 'Term'>` is not a `LogIndex`. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };
