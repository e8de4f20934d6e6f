import type { Operation } from './operation.ts';
import type { SecretInput, SecretOutput } from './secret-model.ts';

type Step = Operation<SecretInput, SecretOutput>;

/** What an answer says of the secret: this value was its version at this revision. */
interface Claim {
  readonly step: Step;
  readonly version: number;
  readonly revision: number;
  readonly value: string | undefined;
  readonly isPut: boolean;
}

export interface Contradiction {
  readonly because: string;
  readonly steps: readonly Step[];
}

/**
 * Two or three answers about one secret that cannot all be true, whatever else was done: far easier
 * to read than all the writes of a run. Undefined when it takes more of them; every contradiction is
 * a violation, not the other way round. Linear but for sorting.
 */
export function contradiction(history: readonly Step[]): Contradiction | undefined {
  const claims = history.flatMap((step) => claimOf(step) ?? []);
  return (
    contradictsItself(history) ??
    neverWritten(history, claims) ??
    versionTwice(claims) ??
    wentBack(claims) ??
    revisionsApart(claims)
  );
}

function claimOf(step: Step): Claim | undefined {
  const { input, output } = step;
  if (output?.kind === 'put' && input.kind === 'put')
    return {
      step,
      version: output.version,
      revision: output.revision,
      value: input.value,
      isPut: true,
    };
  if (output?.kind === 'got')
    return {
      step,
      version: output.version,
      revision: output.revision,
      value: output.value,
      isPut: false,
    };
  // That there is nothing is version 0; a refusal tells no revision.
  if (output?.kind === 'absent')
    return { step, version: 0, revision: 0, value: undefined, isPut: false };
  return undefined;
}

/** A check-and-set was made on another version than it asked for. */
function contradictsItself(history: readonly Step[]): Contradiction | undefined {
  const wrong = history.find(
    ({ input, output }) =>
      input.kind === 'put' &&
      input.cas !== undefined &&
      output?.kind === 'put' &&
      output.version !== input.cas + 1,
  );
  if (wrong === undefined) return undefined;
  return { because: 'a compare-and-set was made on another version', steps: [wrong] };
}

/** A value was read that nobody wrote, or nobody yet. Values differ from one another. */
function neverWritten(
  history: readonly Step[],
  claims: readonly Claim[],
): Contradiction | undefined {
  const writes = new Map(
    history.flatMap((step) => (step.input.kind === 'put' ? [[step.input.value, step]] : [])),
  );
  for (const { step, value, isPut } of claims) {
    if (isPut || value === undefined) continue;
    const write = writes.get(value);
    if (write === undefined)
      return { because: 'a value was read that nobody wrote', steps: [step] };
    if (write.calledAt > step.returnedAt)
      return { because: 'a value was read before it was written', steps: [step, write] };
    if (write.output?.kind === 'cas-mismatch')
      return { because: 'a value was read whose write was refused', steps: [write, step] };
  }
  return undefined;
}

/** Two values for one version, or one value for two. */
function versionTwice(claims: readonly Claim[]): Contradiction | undefined {
  const byVersion = new Map<number, Claim>();
  const byValue = new Map<string | undefined, Claim>();
  for (const claim of claims) {
    const same = byVersion.get(claim.version);
    if (same !== undefined && same.value !== claim.value)
      return { because: 'one version has two values', steps: [same.step, claim.step] };
    const value = byValue.get(claim.value);
    if (value !== undefined && value.version !== claim.version)
      return { because: 'one write made two versions', steps: [value.step, claim.step] };
    byVersion.set(claim.version, claim);
    byValue.set(claim.value, claim);
  }
  return undefined;
}

/** An answer is older than another that came back before it was asked for. */
function wentBack(claims: readonly Claim[]): Contradiction | undefined {
  const returned = [...claims].sort((a, b) => a.step.returnedAt - b.step.returnedAt);
  const called = [...claims].sort((a, b) => a.step.calledAt - b.step.calledAt);
  let newest: Claim | undefined;
  let latest: Claim | undefined;
  let at = 0;
  for (const claim of called) {
    for (
      let done = returned[at];
      done !== undefined && done.step.returnedAt < claim.step.calledAt;
      done = returned[++at]
    ) {
      if (newest === undefined || done.version > newest.version) newest = done;
      if (latest === undefined || done.revision > latest.revision) latest = done;
    }
    const least = claim.isPut ? claim.version - 1 : claim.version;
    if (newest !== undefined && newest.version > least)
      return { because: 'an answer is older than one before it', steps: [newest.step, claim.step] };
    if (latest !== undefined && claim.version > 0 && latest.revision > claim.revision)
      return {
        because: 'an answer is of an older revision than one before it',
        steps: [latest.step, claim.step],
      };
  }
  return undefined;
}

/** Versions and revisions disagree on which of two came first. */
function revisionsApart(claims: readonly Claim[]): Contradiction | undefined {
  // The writes first: what is read of a version comes after its making.
  const ordered = claims
    .filter((claim) => claim.version > 0)
    .sort((a, b) => a.version - b.version || Number(b.isPut) - Number(a.isPut));
  let latestBefore: Claim | undefined;
  let latest: Claim | undefined;
  let made: Claim | undefined;
  for (const claim of ordered) {
    if (latest !== undefined && latest.version < claim.version) latestBefore = latest;
    if (claim.isPut) made = claim;
    const earlier = made?.version === claim.version ? [latestBefore, made] : [latestBefore];
    for (const one of earlier) {
      if (one === undefined || one === claim) continue;
      const isLate = one.revision > claim.revision;
      if (isLate || (claim.isPut && one.revision === claim.revision))
        return {
          because: 'a later version is of an earlier revision',
          steps: [one.step, claim.step],
        };
    }
    if (latest === undefined || claim.revision > latest.revision) latest = claim;
  }
  return undefined;
}
