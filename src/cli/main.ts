#!/usr/bin/env node
import { Command } from 'commander';
import { StrongroomError } from '../lib/index.ts';
import { serverCommand } from './commands/server.ts';
import { downCommand, upCommand } from './commands/up.ts';

// Names of TLS peers are IP addresses on a local cluster, about which Node warns on every start.
process.noDeprecation = true;

const program = new Command('strongroom')
  .description('a distributed secrets vault')
  .option('--format <format>', 'table, json or yaml', 'table')
  .addCommand(serverCommand())
  .addCommand(upCommand())
  .addCommand(downCommand());

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof StrongroomError)) throw error;
  process.stderr.write(`strongroom: ${error.message} [${error.code}]\n`);
  process.exitCode = 1;
}
