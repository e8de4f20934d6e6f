import { z } from 'zod';
import { groundNames, sealKinds } from './scenario.ts';
import { duration, ratio } from './units.ts';

const NODES_MAX = 20;
const LIST_MAX = 200;
const CLIENT_TEXT_MAX = 2_000;

const word = z
  .string()
  .max(64)
  .regex(/^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/, 'must be lower-case letters, digits, "." and "-"');

const count = z.int().min(1).max(NODES_MAX);
const perRegion = z.record(word, count);
const sentences = z.array(z.string().max(CLIENT_TEXT_MAX)).max(LIST_MAX).default([]);

const timelineStep = z.strictObject({
  at: duration().optional(),
  from: duration().optional(),
  every: duration().optional(),
  until: duration().optional(),
  for: duration().optional(),
  fault: z.string().max(64),
  on: z.string().max(128).optional(),
  with: z.unknown().optional(),
  draw: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
});

/** The outer shape of a scenario file; what the words in it mean is looked at afterwards. */
export const fileSchema = z.strictObject({
  name: word,
  title: z.string().max(200),
  purpose: z.string().max(CLIENT_TEXT_MAX),
  cluster: z.strictObject({
    voters: z.union([count, perRegion]),
    region: word.default('local'),
    replicas: perRegion.default({}),
    seal: z.enum(sealKinds).default('dev'),
    'between-regions': z
      .strictObject({
        delay: duration().default(0),
        jitter: duration().default(0),
        loss: ratio().default(0),
      })
      .optional(),
  }),
  grounds: z
    .array(z.enum(groundNames))
    .min(1)
    .default([...groundNames]),
  steady: z
    .strictObject({ for: duration().default(3_000), expect: sentences })
    .default({ for: 3_000, expect: [] }),
  duration: duration(),
  settle: duration().default(3_000),
  workloads: z
    .array(
      z.strictObject({
        use: z.string().max(64),
        label: word.optional(),
        with: z.unknown().optional(),
      }),
    )
    .min(1)
    .max(LIST_MAX),
  timeline: z.array(timelineStep).max(LIST_MAX).default([]),
  objectives: sentences,
  aborts: sentences,
  checks: z.array(z.string().max(64)).min(1).max(LIST_MAX),
});

export type ScenarioFile = z.output<typeof fileSchema>;
export type FileStep = ScenarioFile['timeline'][number];
