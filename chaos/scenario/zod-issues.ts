import { z } from 'zod';
import { nearestWord } from '../../src/server/config/index.ts';
import type { Problems } from './problems.ts';

type Path = readonly PropertyKey[];

/** Puts what zod found at the place in the file where it stands, in our own words where that helps. */
export function reportIssues(
  error: z.ZodError,
  base: Path,
  schema: z.ZodType,
  problems: Problems,
): void {
  for (const issue of error.issues) report(issue, base, schema, problems);
}

function report(issue: z.core.$ZodIssue, base: Path, schema: z.ZodType, problems: Problems): void {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    for (const key of issue.keys) {
      const near = nearestWord(key, known);
      const help = near === undefined ? `choose ${known.join(', ')}` : `did you mean ${near}?`;
      problems.add(problems.placeOfKey(path, key), `unknown field "${key}": ${help}`);
    }
    return;
  }
  const name = path.filter((part) => typeof part === 'string').at(-1);
  problems.at(path, name === undefined ? issue.message : `${name}: ${issue.message}`);
}

/** The fields that the object at `path` of a schema may have. */
function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  let inner: unknown = schema;
  for (const part of path) {
    inner = unwrap(inner);
    if (inner instanceof z.ZodObject) inner = inner.shape[String(part)];
    else if (inner instanceof z.ZodArray) inner = inner.element;
    else if (inner instanceof z.ZodRecord) inner = inner.valueType;
    else return [];
  }
  inner = unwrap(inner);
  if (inner instanceof z.ZodRecord && inner.keyType instanceof z.ZodEnum)
    return inner.keyType.options.map(String);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function unwrap(schema: unknown): unknown {
  let inner = schema;
  for (;;) {
    if (
      inner instanceof z.ZodDefault ||
      inner instanceof z.ZodOptional ||
      inner instanceof z.ZodPrefault
    )
      inner = inner.unwrap();
    // What is written in two forms is brought to one first.
    else if (inner instanceof z.ZodPipe) inner = inner.out;
    else break;
  }
  return inner;
}

/** The value behind `with:`, as `schema` reads it; its problems are reported at their places. */
export function parametersOf(
  schema: z.ZodType,
  value: unknown,
  path: readonly PropertyKey[],
  problems: Problems,
): unknown {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  reportIssues(parsed.error, path, schema, problems);
  return undefined;
}
