import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The ways in which a text can stand in a file without being seen at first sight. */
export function disguises(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text);
  const base64 = [0, 1, 2].map((shift) => {
    // Base64 of a text inside a longer one depends on where it begins; its inner part does not.
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return shifted.slice(shift === 0 ? 0 : 4, -4);
  });
  return [
    bytes,
    Buffer.from(bytes.toString('hex')),
    Buffer.from(bytes.toString('hex').toUpperCase()),
    Buffer.from(text, 'utf16le'),
    ...base64.map((one) => Buffer.from(one)),
  ];
}

/** Names of all files below `folder` that hold one of `marks` in any disguise, with the mark. */
export async function filesThatHold(
  folder: string,
  marks: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    for (const mark of bytesHold(content, marks)) found.push(`${path}: ${mark}`);
  }
  return found;
}

export function bytesHold(content: Buffer, marks: readonly string[]): readonly string[] {
  return marks.filter((mark) => disguises(mark).some((bytes) => content.includes(bytes)));
}
