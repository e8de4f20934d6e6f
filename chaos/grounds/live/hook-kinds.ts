import type { Capability } from '../capabilities.ts';

/** What a hook is run for, once each, and the words that its commands may use as `{word}`. */
interface HookKind {
  readonly per: 'node' | 'link';
  readonly words: readonly string[];
}

const nodeWords = ['node', 'host', 'region'] as const;
const linkWords = ['from', 'to', 'from-host', 'to-host'] as const;

/** What an operator's own commands can do for a fault on a cluster that runs. */
export const hookKinds = {
  'process.kill': { per: 'node', words: [] },
  'process.pause': { per: 'node', words: [] },
  'process.stop': { per: 'node', words: [] },
  'network.cut': { per: 'link', words: ['how'] },
  'network.delay': { per: 'link', words: ['delay', 'jitter'] },
  'network.loss': { per: 'link', words: ['percent'] },
  'network.bandwidth': { per: 'link', words: ['bytes'] },
  'hsm.link': { per: 'node', words: ['how', 'delay'] },
  'audit.sink': { per: 'node', words: ['how'] },
} as const satisfies Partial<Record<Capability, HookKind>>;

export type HookName = keyof typeof hookKinds;

export const hookNames = Object.keys(hookKinds) as readonly HookName[];

/** Everything that a command of this hook may name. */
export function wordsOf(name: HookName): readonly string[] {
  const { per, words } = hookKinds[name];
  return [...(per === 'node' ? nodeWords : linkWords), ...words];
}

const placeholder = /\{([^{}]*)\}/g;

/** The words that an argument names. */
export function placeholdersIn(argument: string): readonly string[] {
  return [...argument.matchAll(placeholder)].map(([, word = '']) => word);
}

/** The command with its words filled in; no shell ever reads it. */
export function fillIn(
  template: readonly string[],
  words: Readonly<Record<string, string>>,
): readonly string[] {
  return template.map((argument) =>
    argument.replaceAll(placeholder, (whole, word: string) => words[word] ?? whole),
  );
}
