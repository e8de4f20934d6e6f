import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from './fake-io.ts';

const pages = [
  'README.md',
  ...['docs', 'deploy'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
];

/** Commands of a page: inline code, and lines of its shell blocks, as they stand there. */
function commandsOf(page: string): readonly string[] {
  const text = readFileSync(page, 'utf8');
  const blocks = [...text.matchAll(/```(?:sh|bash|console)?\n([^]*?)```/g)].flatMap(
    ([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'),
  );
  const inline = [...text.matchAll(/`(strongroom [^`]+)`/g)].map(([, code = '']) => code);
  return [...blocks, ...inline].flatMap((line) => {
    const [, command] = /(?:^|[|(] ?|\$ |bin\/|&& )strongroom ([a-z][^|)#;&]*)/.exec(line) ?? [];
    return command === undefined
      ? []
      : [
          command
            .replace(/\s>.*$/, '')
            .replace(/\s+/g, ' ')
            .trim(),
        ];
  });
}

/** A shell's view of the words, near enough for documentation. */
const wordsOf = (command: string) =>
  [...command.matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word.replace(/^["']|["']$/g, ''));

describe('the documentation', () => {
  const found = pages.flatMap((page) =>
    commandsOf(page).map((command) => [page, command] as const),
  );

  it('has commands to look at', () => {
    expect(found.length).toBeGreaterThan(40);
  });

  it.each(found)('%s can be typed as it stands: strongroom %s', async (_page, command) => {
    const words = wordsOf(command);
    // These would start something, whatever they are given.
    if (['up', 'down', 'server', 'chaos', 'completion'].includes(words[0] ?? ''))
      words.push('--help');
    const { err } = await run(words);
    // Metavariables stand where values belong, and some only name a command.
    expect(err).not.toMatch(/unknown (?:option|command)|too many/);
  });
});
