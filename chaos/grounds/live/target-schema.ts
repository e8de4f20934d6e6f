import { z } from 'zod';
import { duration } from '../../scenario/units.ts';
import { hookNames } from './hook-kinds.ts';

const LIST_MAX = 200;
const HOOK_MS = 30_000;

const word = z
  .string()
  .max(64)
  .regex(/^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/, 'must be lower-case letters, digits, "." and "-"');
/** Never an option of the command that it is put into. */
const host = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9_[][A-Za-z0-9._:@[\]-]*$/, 'must be a host name or an address');
const path = z.string().min(1).max(4_096);
const argv = z.array(z.string().min(1).max(4_096)).min(1).max(LIST_MAX);

const hook = z.strictObject({
  inject: argv,
  heal: argv,
  timeout: duration().default(HOOK_MS),
});

/** A name alone allows it without bounds. */
const withBounds = (written: unknown) =>
  typeof written === 'string' ? { fault: written } : written;

const allowance = z.strictObject({
  fault: z.string().max(64),
  nodes: z.array(word).min(1).max(LIST_MAX).optional(),
  regions: z.array(word).min(1).max(LIST_MAX).optional(),
  'at-once': z.int().min(1).max(LIST_MAX).optional(),
  longest: duration().optional(),
});

/** The outer shape of a target file; what the words in it mean is looked at afterwards. */
export const targetSchema = z.strictObject({
  name: word,
  cluster: z
    .string()
    .max(64)
    .regex(/^[0-9a-f-]+$/, 'must be the id that "strongroom status" shows')
    .optional(),
  local: path.optional(),
  addresses: z.array(z.string().max(255)).min(1).max(LIST_MAX).optional(),
  'ca-file': path.optional(),
  'token-file': path.optional(),
  'insecure-plaintext': z.boolean().default(false),
  nodes: z
    .array(
      z.strictObject({
        name: word,
        kind: z.enum(['voter', 'replica']).default('voter'),
        region: word.default('local'),
        host: host.optional(),
        as: word.optional(),
      }),
    )
    .min(1)
    .max(LIST_MAX)
    .optional(),
  allow: z.array(z.preprocess(withBounds, allowance)).max(LIST_MAX),
  'may-harm-majority': z.boolean().default(false),
  hooks: z.partialRecord(z.enum(hookNames as [string, ...string[]]), hook).default({}),
  'stop-file': path.optional(),
});

export type TargetFile = z.output<typeof targetSchema>;
