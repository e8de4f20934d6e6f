import type { TraceEvent } from '../../src/raft/core/index.ts';

/** A trace of one cluster as etcd's validator reads it: one JSON object a line, in total order. */
export function traceLines(events: readonly TraceEvent[]): string {
  return events.map((event) => `${JSON.stringify({ tag: 'trace', event })}\n`).join('');
}

/** Lines without the tag are some other log's, and are left out, as etcd's validator does. */
export function parseTraceLines(text: string): readonly TraceEvent[] {
  const events: TraceEvent[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const parsed: unknown = JSON.parse(line);
    if (isTraceLine(parsed)) events.push(parsed.event);
  }
  return events;
}

function isTraceLine(value: unknown): value is { readonly event: TraceEvent } {
  return typeof value === 'object' && value !== null && 'tag' in value && value.tag === 'trace';
}
