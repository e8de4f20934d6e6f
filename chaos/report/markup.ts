/** Text that is safe as it stands in a page: only `html` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Part = string | number | undefined | Markup | readonly Part[];

/** A piece of a page. Whatever is put in is escaped, unless it is such a piece itself. */
export function html(pieces: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const text = pieces.map((piece, at) => (at === 0 ? piece : `${textOf(parts[at - 1])}${piece}`));
  return new Markup(text.join(''));
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'number') return String(part);
  return typeof part === 'string' ? escaped(part) : part.map(textOf).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for quoted attributes. What would hide or turn other text is shown as a mark. */
function escaped(text: string): string {
  return plain(text).replace(/[&<>"']/g, (char) => entities[char] ?? '');
}

/** Without control characters and changes of direction. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (char) =>
    char === '\n' || char === '\t' ? char : '\ufffd',
  );
}

/** A value for a script to read: no text in it can end the element. */
export function jsonMarkup(value: unknown): Markup {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'string' ? plain(inner) : inner,
  ).replace(/[<>&\u2028\u2029]/g, (char) => {
    return `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
  return new Markup(text);
}
