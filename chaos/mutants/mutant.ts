export interface Mutant {
  readonly name: string;
  /** Under `src/`. */
  readonly file: string;
  /** Must occur exactly once in the file. */
  readonly search: string;
  readonly replacement: string;
  /** What a vault would suffer from it. */
  readonly why: string;
}
