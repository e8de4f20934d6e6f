import { describe, expect, it } from 'vitest';
import { showLiveTable } from '../../../src/cli/local-cluster/live-table.ts';
import type { StrongroomClient } from '../../../src/client/index.ts';

const member = {
  node: 1,
  name: 'voter-1',
  region: 'local',
  role: 'leader',
  term: 1,
  applied: 7,
  lagEntries: 0,
  lagMs: 0,
  sealState: 'unsealed',
  apiAddress: '127.0.0.1:8200',
  healthy: true,
  reason: '',
};

/** Shows what `answers` say, one a look; ends after the last. */
async function shown(
  out: { isTTY?: boolean; columns?: number },
  answers: readonly ('silent' | 'answer')[],
): Promise<string> {
  const stop = new AbortController();
  let text = '';
  let looks = 0;
  const client = {
    async call() {
      const answer = answers[looks++];
      if (answer === 'silent') throw new Error('nobody answers');
      return { members: [member] };
    },
  } as unknown as StrongroomClient;
  const write = (part: string) => {
    text += part;
    if (looks === answers.length) stop.abort();
  };
  await showLiveTable(client, { write, ...out }, stop.signal);
  return text;
}

describe('the live table', () => {
  it('cuts lines to the width of the terminal, as a wrapped one would misplace the next drawing', async () => {
    const text = await shown({ isTTY: true, columns: 30 }, ['answer']);
    expect(text).toContain('voter-1');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(30);
  });

  it('says that nobody answers, under what was last known', async () => {
    const text = await shown({ isTTY: true, columns: 120 }, ['answer', 'silent']);
    const [, last = ''] = text.split('\u001b[0J');
    expect(last).toContain('voter-1');
    expect(last).toMatch(/No answer for \d+ s/);
  });

  it('writes a line for each change where there is no terminal', async () => {
    const text = await shown({}, ['answer', 'silent']);
    expect(text).toBe('voter-1=leader/unsealed\nno answer: an election, or too few nodes run\n');
  });
});
