/** Calls that only ask what there is: `help kv put`, `-version`, `-v`. */
export function plainWords(args: readonly string[]): readonly string[] {
  const [first = ''] = args;
  if (first === 'help') return [...args.slice(1), '--help'];
  if (args.length === 1 && ['-v', '-version', '--version'].includes(first)) return ['version'];
  return args;
}
