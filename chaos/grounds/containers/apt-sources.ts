/** Where packages of a Debian machine come from. */
export interface AptSource {
  readonly mirror: string;
  readonly suite: string;
}

/**
 * The first source of plain packages in a file of `/etc/apt`, of the one-line form (`deb [options]
 * MIRROR SUITE main`) or of paragraphs (`Types`, `URIs`, `Suites`); undefined when it has none.
 */
export function aptSourceIn(text: string): AptSource | undefined {
  return inLines(text) ?? inParagraphs(text);
}

function inLines(text: string): AptSource | undefined {
  for (const line of text.split('\n')) {
    const found = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+([^\s/]+)\s+\S/.exec(line);
    if (found?.[1] !== undefined && found[2] !== undefined)
      return { mirror: found[1], suite: found[2] };
  }
  return undefined;
}

function inParagraphs(text: string): AptSource | undefined {
  const isComment = (line: string) => line.startsWith('#');
  const plain = text.split('\n').filter((line) => !isComment(line));
  for (const paragraph of plain.join('\n').split(/\n\s*\n/)) {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(paragraph)?.[1]?.trim().split(/\s+/) ?? [];
    const [mirror, suite] = [field('URIs')[0], field('Suites')[0]];
    const isPlain = field('Types').includes('deb') && field('Enabled')[0]?.toLowerCase() !== 'no';
    if (isPlain && mirror !== undefined && suite !== undefined && !suite.endsWith('/'))
      return { mirror, suite };
  }
  return undefined;
}
