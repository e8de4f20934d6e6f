/** What a verification found. Lines count from 1 within their file. */
export type AuditProblem =
  /** Not a record of a chain: garbage, or a line that was written by something else. */
  | { readonly kind: 'unreadable'; readonly file: string; readonly line: number }
  /** Its hash does not fit its bytes. */
  | {
      readonly kind: 'changed';
      readonly file: string;
      readonly line: number;
      readonly sequence: number;
    }
  /** Records are missing before this one. */
  | {
      readonly kind: 'dropped';
      readonly file: string;
      readonly line: number;
      readonly sequence: number;
      readonly missing: number;
    }
  /** A record that comes too late or twice: inserted, repeated or moved. */
  | {
      readonly kind: 'out-of-order';
      readonly file: string;
      readonly line: number;
      readonly sequence: number;
      readonly expected: number;
    }
  /** The right number, but it does not follow from the record before: one of the two was replaced. */
  | {
      readonly kind: 'broken-link';
      readonly file: string;
      readonly line: number;
      readonly sequence: number;
    }
  /** The last line has no end: a write was interrupted, or the file was cut within a line. */
  | { readonly kind: 'torn-end'; readonly file: string; readonly line: number }
  /** The files end before a record that the cluster knows of. */
  | { readonly kind: 'cut'; readonly sequence: number; readonly last: number }
  /** The chain fits in itself, but not to what was committed: it was written anew. */
  | { readonly kind: 'head-differs'; readonly sequence: number }
  /** A committed head whose signature does not fit, or of a key that was not registered. */
  | { readonly kind: 'bad-head'; readonly sequence: number };

/** One sentence for people. */
export function describeProblem(problem: AuditProblem): string {
  switch (problem.kind) {
    case 'unreadable':
      return `${at(problem)} is not an audit record`;
    case 'changed':
      return `${at(problem)} (record ${problem.sequence}) was changed after it was written`;
    case 'dropped':
      return `${at(problem)} is record ${problem.sequence}, ${problem.missing} before it are missing`;
    case 'out-of-order':
      return `${at(problem)} is record ${problem.sequence} where ${problem.expected} belongs: inserted, repeated or moved`;
    case 'broken-link':
      return `${at(problem)} (record ${problem.sequence}) does not follow from the one before: one of them was replaced`;
    case 'torn-end':
      return `${at(problem)} has no end: the write was interrupted, or the file was cut`;
    case 'cut':
      return `The log ends at record ${problem.last}, but the cluster knows of record ${problem.sequence}: its end was cut off`;
    case 'head-differs':
      return `Record ${problem.sequence} is not the one that the cluster knows: the log was written anew`;
    case 'bad-head':
      return `The committed head of record ${problem.sequence} has a signature that does not fit`;
  }
}

const at = ({ file, line }: { readonly file: string; readonly line: number }) =>
  `Line ${line} of ${file}`;
