import { expect, test } from 'vitest';
import { aptSourceIn } from '../../../../chaos/grounds/containers/apt-sources.ts';

const source = { mirror: 'http://mirror.test/debian', suite: 'bookworm' };

test('a mirror is found in a file of lines, behind comments, options and sources of sources', () => {
  const text = `# deb http://old.test/debian buster main
deb-src http://mirror.test/debian bookworm main
deb [signed-by=/usr/share/keyrings/a.gpg arch=amd64] http://mirror.test/debian bookworm main contrib
deb http://other.test/debian-security bookworm-security main
`;
  expect(aptSourceIn(text)).toEqual(source);
});

test('a mirror is found in a file of paragraphs', () => {
  const text = `Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm

Types: deb deb-src
# URIs: http://snapshot.test/debian
URIs: http://mirror.test/debian http://second.test/debian
Suites: bookworm bookworm-updates
Components: main
`;
  expect(aptSourceIn(text)).toEqual(source);
});

test('a file without a mirror gives none', () => {
  for (const text of [
    '',
    '# nothing',
    'deb-src http://mirror.test/debian bookworm main',
    'Types: deb',
  ])
    expect(aptSourceIn(text)).toBeUndefined();
});
