import type { AssertionRecord, CheckRecord, Phase, Sample, Verdict } from './record.ts';

/** What a run tells while it goes on; `at` is in milliseconds since it began. */
export type ProgressEvent =
  /** Before the run has begun. */
  | { readonly kind: 'remark'; readonly text: string }
  | { readonly kind: 'phase'; readonly phase: Phase; readonly at: number }
  | { readonly kind: 'sample'; readonly sample: Sample }
  | {
      readonly kind: 'fault';
      readonly what: 'injected' | 'healed' | 'not felt';
      readonly fault: string;
      readonly nodes: readonly string[];
      readonly at: number;
    }
  | { readonly kind: 'assertion'; readonly what: string; readonly result: AssertionRecord }
  | { readonly kind: 'check'; readonly result: CheckRecord }
  | { readonly kind: 'verdict'; readonly verdict: Verdict; readonly folder: string };

export type Progress = (event: ProgressEvent) => void;
