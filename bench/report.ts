/** What one side did in one cell. */
export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Microseconds of server processor time an operation, over all nodes. */
  readonly serverCpuUs: number;
  readonly clientCpuUs: number;
  readonly errors: number;
}

/** One comparison, as the median over the rounds. */
export interface Cell {
  readonly name: string;
  readonly inFlight: number;
  readonly ours: Sample;
  readonly peer: Sample;
  /** Ours over the peer's, of operations a second: the median of the rounds' own ratios. */
  readonly ratio: number;
  readonly goal: number | undefined;
}

const columns = [
  'case',
  'in flight',
  'ours/s',
  'peer/s',
  'ratio',
  'goal',
  'p50 ms',
  'p99 ms',
  'cpu us/op',
];

/** The cells as a table for eyes: ours first, the peer's after the bar. */
export function renderCells(cells: readonly Cell[]): string {
  const rows = cells.map((cell) => [
    cell.name,
    String(cell.inFlight),
    whole(cell.ours.perSecond),
    whole(cell.peer.perSecond),
    cell.ratio.toFixed(2),
    cell.goal === undefined
      ? ''
      : `${cell.goal.toFixed(1)} ${cell.ratio >= cell.goal ? 'met' : 'MISSED'}`,
    `${cell.ours.p50Ms.toFixed(1)} | ${cell.peer.p50Ms.toFixed(1)}`,
    `${cell.ours.p99Ms.toFixed(1)} | ${cell.peer.p99Ms.toFixed(1)}`,
    `${whole(cell.ours.serverCpuUs)} | ${whole(cell.peer.serverCpuUs)}`,
  ]);
  return renderTable([columns, ...rows]);
}

export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ');
  return `${rows.map(line).join('\n')}\n`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
