import type { Entry } from '../history/history.ts';
import type { Checker, Judgement } from './checker.ts';
import { checkerOfEach, groupBy, isAnswered, type Violation, violation } from './entries.ts';

/** A request is sent several times with one id; each request writes a value of its own. */
export type OnceInput =
  | { readonly kind: 'put'; readonly key: string; readonly request: string }
  /** All versions, once everything is over. */
  | { readonly kind: 'read'; readonly key: string };

export type OnceOutput =
  | { readonly kind: 'put'; readonly version: number; readonly revision: number }
  | {
      readonly kind: 'versions';
      /** Which request made each version, from the first. */
      readonly requests: readonly string[];
      /** As the metadata has it. */
      readonly current: number;
    };

type OnceEntry = Entry<OnceInput, OnceOutput>;

/** Linear in the operations. */
export const exactlyOnce: Checker = checkerOfEach<OnceInput, OnceOutput>({
  name: 'exactly-once',
  summary:
    'a request that is sent again, through whatever fail-over, is made once and answered the same',
  judges: 'once',
  judge(entries) {
    let requests = 0;
    for (const [key, operations] of groupBy(entries, (entry) => entry.input.key)) {
      const read = operations.findLast((entry) => entry.output?.kind === 'versions');
      if (read === undefined)
        return { kind: 'undecided', because: `${key} was not read at the end` };
      const attempts = operations.filter((entry) => entry.input.kind === 'put');
      const byRequest = groupBy(attempts, requestOf);
      const found = judgeAnswers(key, byRequest) ?? judgeVersions(key, byRequest, read);
      if (found !== undefined) return found;
      requests += byRequest.size;
    }
    return about(entries, requests);
  },
});

function about(entries: readonly OnceEntry[], requests: number): Judgement {
  const attempts = entries.filter((entry) => entry.input.kind === 'put').length;
  return { kind: 'ok', about: `${requests} requests, sent ${attempts} times` };
}

const requestOf = ({ input }: OnceEntry) => (input.kind === 'put' ? input.request : '');

/** Every attempt of a request is told the same, and no two requests are. */
function judgeAnswers(
  key: string,
  byRequest: ReadonlyMap<string, readonly OnceEntry[]>,
): Violation | undefined {
  const makers = new Map<number, OnceEntry>();
  for (const [request, attempts] of byRequest) {
    const [first, ...others] = attempts.filter(isAnswered);
    if (first?.output.kind !== 'put') continue;
    const { version, revision } = first.output;
    for (const other of others)
      if (
        other.output.kind === 'put' &&
        (other.output.version !== version || other.output.revision !== revision)
      )
        return violation(
          `${key}: ${request} was answered differently when it was sent again`,
          first,
          other,
        );
    const twin = makers.get(version);
    if (twin !== undefined)
      return violation(`${key}: two requests made version ${version}`, twin, first);
    makers.set(version, first);
  }
  return undefined;
}

/** Each request made at most one version, and each that was acknowledged made the one it was told. */
function judgeVersions(
  key: string,
  byRequest: ReadonlyMap<string, readonly OnceEntry[]>,
  read: OnceEntry,
): Violation | undefined {
  if (read.output?.kind !== 'versions') return undefined;
  const { requests, current } = read.output;
  const places = new Map<string, number>();
  for (const [at, request] of requests.entries()) {
    const attempts = byRequest.get(request) ?? [];
    if (attempts.length === 0)
      return violation(`${key}: nobody sent the request of version ${at + 1}`, read);
    if (places.has(request))
      return violation(`${key}: ${request} was made twice`, ...attempts, read);
    places.set(request, at + 1);
  }
  if (current !== requests.length)
    return violation(
      `${key}: its metadata tells of ${current} versions, and there are ${requests.length}`,
      read,
    );
  for (const [request, attempts] of byRequest) {
    const answer = attempts.find(isAnswered);
    if (answer?.output.kind !== 'put' || places.get(request) === answer.output.version) continue;
    return violation(
      `${key}: ${request} was acknowledged as version ${answer.output.version}, which another made or nobody`,
      answer,
      read,
    );
  }
  return undefined;
}
