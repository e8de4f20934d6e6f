import { rmSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { readSecretText } from '../input/secret-text.ts';
import type { Act } from '../session.ts';
import { resolveTarget, tokenFile } from '../target.ts';

/** Keeps a token for later commands, after asking the cluster whether it is good. */
export function loginCommand(act: Act): Command {
  return new Command('login')
    .description('keep a token in ~/.strongroom-token for later commands')
    .argument('[token]', '"-" (standard input) or @FILE; without it the terminal asks')
    .action(
      act(async (session, from) => {
        const { io } = session;
        const token = await readSecretText(io, from, 'token');
        const client = await io.connect({ ...resolveTarget(io, session.options), token });
        try {
          const answer = await client.call('token.lookupSelf', {}, { signal: io.signal });
          // Removed first, so that the mode is right whatever was there.
          rmSync(tokenFile(io), { force: true });
          writeFileSync(tokenFile(io), `${token}\n`, { mode: 0o600, flag: 'wx' });
          const { token: _hidden, ...rest } = answer;
          session.printDone(`Logged in; the token is kept in ${tokenFile(io)}`, rest);
        } finally {
          await client[Symbol.asyncDispose]();
        }
      }),
    );
}
