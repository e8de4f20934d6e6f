import type { Entry } from '../history/history.ts';
import type { Checker, Judgement } from './checker.ts';
import {
  checkerOfEach,
  groupBy,
  isAnswered,
  isBefore,
  mayPrecede,
  type Violation,
  violation,
} from './entries.ts';

/** Tokens by name: a history never holds one. */
export type TokenInput =
  | {
      readonly kind: 'create';
      readonly token: string;
      readonly parent: string | undefined;
      readonly ttlMs: number;
      /** 0: any number. */
      readonly uses: number;
    }
  | { readonly kind: 'revoke'; readonly token: string }
  | {
      readonly kind: 'use';
      readonly token: string;
      readonly node: string;
      /** `stale`: what the node has, if it has the token's making. */
      readonly wants: 'linearizable' | 'stale';
    }
  /** Something that no policy of the token allows. */
  | { readonly kind: 'trespass'; readonly token: string; readonly node: string };

export interface TokenOutput {
  readonly kind: 'made' | 'revoked' | 'used' | 'denied' | 'trespassed';
}

/** What a run allows, of the workload's parameters. */
export interface TokenBounds {
  /** A node may go on honouring a revoked token for so long, when it is asked for no more. */
  readonly staleness: number;
  /** Of the nodes' clocks against this one's. */
  readonly slack: number;
}

type TokenEntry = Entry<TokenInput, TokenOutput>;
type Creation = Entry<Extract<TokenInput, { readonly kind: 'create' }>, TokenOutput>;
type Use = Entry<Extract<TokenInput, { readonly kind: 'use' }>, TokenOutput>;

/** A token with all that was done with it. */
interface Life {
  readonly create: Creation;
  readonly revokes: readonly TokenEntry[];
  readonly uses: readonly Use[];
}

/** A client asks a node again at the earliest after so long, so that a quick answer was one try. */
const RETRY_MS = 10;

export const tokenLifetimes: Checker = checkerOfEach<TokenInput, TokenOutput>({
  name: 'token-lifetimes',
  summary:
    'tokens work on every node until they end, on none after that, and only for what they may',
  judges: 'tokens',
  judge(entries, { parameters }) {
    const bounds = parameters as TokenBounds;
    const lives = livesOf(entries);
    const trespass = entries.find((entry) => entry.output?.kind === 'trespassed');
    if (trespass !== undefined) return judgeTrespass(trespass, lives);
    for (const life of lives.values()) {
      const family = [life, ...ancestorsOf(life, lives)];
      const found =
        judgeUses(family, bounds) ??
        judgeDenials(family, bounds) ??
        judgeOrder(life) ??
        judgeCount(life);
      if (found !== undefined) return found;
    }
    return about(entries, lives.size);
  },
});

function about(entries: readonly TokenEntry[], tokens: number): Judgement {
  const count = (kind: TokenOutput['kind']) =>
    entries.filter((entry) => entry.output?.kind === kind).length;
  const [used, denied] = [count('used'), count('denied')];
  if (used === 0) return { kind: 'undecided', because: 'no token was ever used' };
  return {
    kind: 'ok',
    about: `${tokens} tokens, ${count('revoked')} revoked, ${used} uses, ${denied} refused`,
  };
}

function judgeTrespass(entry: TokenEntry, lives: ReadonlyMap<string, Life>): Violation {
  const { input } = entry;
  const at = input.kind === 'trespass' ? input.node : 'a node';
  return violation(
    `${input.token} was let in at ${at} to what its policies do not allow`,
    lives.get(input.token)?.create,
    entry,
  );
}

function livesOf(entries: readonly TokenEntry[]): ReadonlyMap<string, Life> {
  const lives = new Map<string, Life>();
  for (const [name, own] of groupBy(entries, (entry) => entry.input.token)) {
    const create = own.find((entry): entry is Creation => entry.input.kind === 'create');
    if (create === undefined || !isAnswered(create)) continue;
    lives.set(name, {
      create,
      revokes: own.filter((entry) => entry.input.kind === 'revoke'),
      uses: own.filter((entry): entry is Use => entry.input.kind === 'use'),
    });
  }
  return lives;
}

function ancestorsOf({ create }: Life, lives: ReadonlyMap<string, Life>): readonly Life[] {
  const { parent } = create.input;
  const life = parent === undefined ? undefined : lives.get(parent);
  return life === undefined ? [] : [life, ...ancestorsOf(life, lives)];
}

const usesThat = ({ uses }: Life, kind: 'used' | 'denied') =>
  uses.filter((use) => use.output?.kind === kind);

/** Never after an acknowledged revocation, of it or an ancestor, or after its time. */
function judgeUses(family: readonly Life[], bounds: TokenBounds): Violation | undefined {
  const [life] = family;
  for (const use of life === undefined ? [] : usesThat(life, 'used')) {
    const lateMs = use.input.wants === 'stale' ? bounds.staleness : 0;
    for (const { create, revokes } of family) {
      const revoked = revokes.find(
        (one) => one.output?.kind === 'revoked' && one.returnedAt + lateMs < use.calledAt,
      );
      const name = use.input.token;
      if (revoked !== undefined)
        return violation(
          create.input.token === name
            ? `${name} was used at ${use.input.node} after it was revoked`
            : `${name} was used at ${use.input.node} after its ancestor ${create.input.token} was revoked`,
          life?.create,
          revoked,
          use,
        );
      if (use.calledAt > create.returnedAt + create.input.ttlMs + bounds.slack)
        return violation(`${name} was used after its time`, create, use);
    }
  }
  return undefined;
}

/** Never refused before its end. */
function judgeDenials(family: readonly Life[], bounds: TokenBounds): Violation | undefined {
  const [life] = family;
  for (const denial of life === undefined ? [] : usesThat(life, 'denied')) {
    const mayBeOver = family.some(
      ({ create, revokes }) =>
        revokes.some((revoke) => mayPrecede(revoke, denial)) ||
        denial.returnedAt >= create.calledAt + create.input.ttlMs - bounds.slack,
    );
    if (mayBeOver || life === undefined || mayBeUsedUp(life, denial)) continue;
    return violation(
      `${denial.input.token} was refused at ${denial.input.node} before its end`,
      life.create,
      denial,
    );
  }
  return undefined;
}

/** Whether others' tries, and earlier ones of this call, can have taken all uses. */
function mayBeUsedUp({ create, uses }: Life, denial: Use): boolean {
  if (create.input.uses === 0) return false;
  const tries = (use: Use) => 1 + Math.floor((use.returnedAt - use.calledAt) / RETRY_MS);
  let taken = tries(denial) - 1;
  for (const use of uses)
    if (use !== denial && use.output?.kind !== 'denied' && mayPrecede(use, denial))
      taken += tries(use);
  return taken >= create.input.uses;
}

/** What a quorum has refused once stays refused. */
function judgeOrder(life: Life): Violation | undefined {
  const linearizable = life.uses
    .filter((use) => use.input.wants === 'linearizable' && isAnswered(use))
    .sort((a, b) => a.returnedAt - b.returnedAt);
  const denial = linearizable.find((use) => use.output?.kind === 'denied');
  if (denial === undefined) return undefined;
  const after = linearizable.find((use) => use.output?.kind === 'used' && isBefore(denial, use));
  if (after === undefined) return undefined;
  return violation(`${denial.input.token} was refused and then honoured`, denial, after);
}

function judgeCount(life: Life): Violation | undefined {
  const { uses } = life.create.input;
  const used = usesThat(life, 'used');
  if (uses === 0 || used.length <= uses) return undefined;
  return violation(
    `${life.create.input.token} has ${uses} uses and was used ${used.length} times`,
    life.create,
    ...used.slice(0, uses + 1),
  );
}
