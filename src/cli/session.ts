import type { Command } from 'commander';
import { StrongroomError } from '../lib/index.ts';
import type { ApiClient, CliIo, Payload } from './io.ts';
import { Options } from './options.ts';
import { type Format, formats, render, type View } from './output/document.ts';
import { renderKeyValues } from './output/table.ts';
import { resolveTarget } from './target.ts';

/** One run of one command. */
export class Session {
  readonly io: CliIo;
  readonly options: Options;
  readonly format: Format;
  #client: Promise<ApiClient> | undefined;

  constructor(io: CliIo, command: Command) {
    this.io = io;
    this.options = new Options(command.optsWithGlobals());
    const format = io.env['STRONGROOM_FORMAT'] ?? '';
    if (format !== '' && !(formats as readonly string[]).includes(format)) {
      throw new StrongroomError(
        'cli.usage',
        `Cannot use STRONGROOM_FORMAT ${JSON.stringify(format)}: write ${formats.join(', ')}`,
      );
    }
    this.format = formatOf(io, this.options);
  }

  /** Connected on first use, so that a usage error never waits for the network. */
  client(): Promise<ApiClient> {
    this.#client ??= this.io.connect(resolveTarget(this.io, this.options));
    return this.#client;
  }

  async call(operation: string, payload: Payload): Promise<Payload> {
    const client = await this.client();
    return client.call(operation, payload, { signal: this.io.signal });
  }

  print(view: View): void {
    this.io.out(render(view, this.format));
  }

  /** Prints an answer as it is, and as a table of its fields. */
  printAnswer(answer: Payload, fields: Readonly<Record<string, unknown>> = answer): void {
    this.print({ document: answer, table: () => renderKeyValues(fields) });
  }

  /** Prints a sentence; for programs, the answer itself. */
  printDone(sentence: string, document: Payload): void {
    this.print({ document, table: () => `${sentence}\n` });
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    await client?.[Symbol.asyncDispose]();
  }
}

export function formatOf(io: CliIo, options: Options): Format {
  const wanted = options.text('format') ?? io.env['STRONGROOM_FORMAT'];
  return wanted === 'json' || wanted === 'yaml' ? wanted : 'table';
}

/** What a command does; it may return an exit status other than 0. */
export type Handler = (session: Session, ...args: string[]) => Promise<number | undefined | void>;

/** Where the exit status of the command that ran is left. */
export interface Outcome {
  status: number;
  /** Why the command line could not be understood. */
  misuse?: StrongroomError;
}

/** Turns handlers into commander's actions: opens a session, closes it, keeps the status. */
export function actions(io: CliIo, outcome: Outcome) {
  return (handler: Handler) =>
    async (...params: unknown[]): Promise<void> => {
      // Commander hands in the arguments, then the options, then the command.
      const command = params.at(-1) as Command;
      const args = params.slice(0, -2).flatMap((arg) => (arg === undefined ? [] : arg)) as string[];
      const session = new Session(io, command);
      try {
        outcome.status = (await handler(session, ...args)) ?? 0;
      } finally {
        await session.close();
      }
    };
}

export type Act = ReturnType<typeof actions>;
