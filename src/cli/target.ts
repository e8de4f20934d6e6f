import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StrongroomError } from '../lib/index.ts';
import { parseDuration } from './input/durations.ts';
import { readTextFile } from './input/secret-text.ts';
import type { CliIo, Target } from './io.ts';
import type { Options } from './options.ts';

const DEFAULT_ADDRESS = '127.0.0.1:8200';
const DEFAULT_TIMEOUT = '30s';

/** The file that `strongroom login` writes and every command reads. */
export function tokenFile(io: CliIo): string {
  return join(io.homeDir, '.strongroom-token');
}

/**
 * Which cluster to talk to and as whom: flags, then the environment, then defaults. The token has no
 * flag: it comes from STRONGROOM_TOKEN, or from the token file.
 *
 * @throws StrongroomError `cli.usage`, `cli.file-unreadable`
 */
export function resolveTarget(io: CliIo, options: Options): Target {
  const environment = (name: string) => {
    const value = io.env[`STRONGROOM_${name}`];
    return value === undefined || value === '' ? undefined : value;
  };
  const written = options.text('address') ?? environment('ADDR') ?? DEFAULT_ADDRESS;
  const parsed = written.split(',').map((one) => parseAddress(one.trim()));
  const caFile = options.text('caCert') ?? environment('CACERT');
  const insecure =
    options.flag('insecurePlaintext') ||
    ['1', 'true'].includes(environment('INSECURE_PLAINTEXT') ?? '');
  if (!insecure && parsed.some((one) => one.scheme === 'http')) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot use ${written}: it is without TLS, which must be asked for with --insecure-plaintext`,
    );
  }
  return {
    addresses: parsed.map((one) => one.address),
    caPem: caFile === undefined ? undefined : readTextFile(caFile),
    insecurePlaintext: insecure,
    token: checkedToken(environment('TOKEN')?.trim() ?? storedToken(io)),
    namespace: (options.text('namespace') ?? environment('NAMESPACE') ?? '').replace(
      /^\/+|\/+$/g,
      '',
    ),
    region: options.text('region') ?? environment('REGION'),
    deadlineMs: parseDuration(options.text('timeout') ?? environment('TIMEOUT') ?? DEFAULT_TIMEOUT),
  };
}

function parseAddress(text: string): { readonly scheme: string; readonly address: string } {
  const match = /^(?:(https?):\/\/)?((?:\[[0-9a-fA-F:.]+\]|[^\s:[\]/@]+)(?::\d{1,5})?)\/?$/.exec(
    text,
  );
  const host = match?.[2];
  if (host === undefined) {
    throw new StrongroomError(
      'cli.usage',
      `Cannot use ${JSON.stringify(text)} as an address: write host:port, or several with commas`,
    );
  }
  return {
    scheme: match?.[1] ?? '',
    address: /:\d+$/.test(host) ? host : `${host}:8200`,
  };
}

/**
 * What no token holds is told here, not as a refusal by the cluster that names no reason.
 * @throws StrongroomError `cli.usage`; the token is not repeated.
 */
function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]*$/.test(token)) return token;
  throw new StrongroomError(
    'cli.usage',
    'Cannot use the token: it holds a space, a line break or another character that no token has; copy it again',
  );
}

function storedToken(io: CliIo): string | undefined {
  try {
    const token = readFileSync(tokenFile(io), 'utf8').trim();
    return token === '' ? undefined : token;
  } catch {
    // No file is no token; one that cannot be read shows as a refused request with its hint.
    return undefined;
  }
}
