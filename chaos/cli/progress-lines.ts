import type { ChaosConsole } from '../../src/cli/index.ts';
import type { Progress } from '../runner/progress.ts';
import type { CheckRecord, Phase, Sample } from '../runner/record.ts';
import { inWords } from '../runner/verdict.ts';
import type { Scenario } from '../scenario/scenario.ts';

const SAMPLE_EVERY_MS = 2_000;

const phaseWords: Readonly<Record<Phase, string>> = {
  start: 'The cluster is up',
  steady: 'Watching the steady state',
  timeline: 'Steady: the faults begin',
  settle: 'Everything is healed: settling',
  check: 'Checking',
};

const faultSigns = { injected: '>>>', healed: '<<<', 'not felt': 'no node felt' } as const;

/** A run as lines for people: phases, faults, a sample now and then, every finding. */
export function progressLines(
  scenario: Scenario,
  console: Pick<ChaosConsole, 'say'>,
  target?: { readonly name: string },
): Progress {
  let sampledAt = Number.NEGATIVE_INFINITY;
  const count = scenario.cluster.nodes.length;
  console.say(
    target === undefined
      ? `${scenario.title}: starting ${count} nodes`
      : `${scenario.title}: on the ${count} nodes of "${target.name}"`,
  );
  return (event) => {
    switch (event.kind) {
      case 'remark':
        console.say(`         ${event.text}`);
        return;
      case 'phase':
        console.say(`${clock(event.at)}  ${phaseWords[event.phase]}`);
        return;
      case 'fault':
        console.say(
          `${clock(event.at)}  ${faultSigns[event.what]} ${event.fault} ${event.nodes.join(', ')}`,
        );
        return;
      case 'sample':
        if (event.sample.at - sampledAt < SAMPLE_EVERY_MS) return;
        sampledAt = event.sample.at;
        console.say(sampleLine(event.sample));
        return;
      case 'assertion':
        console.say(
          `         ${event.result.holds ? 'ok ' : 'NOT'} ${event.what}: ${inWords(event.result)}`,
        );
        return;
      case 'check':
        console.say(`         ${checkLine(event.result)}`);
        return;
      case 'verdict':
        return;
    }
  };
}

function checkLine(check: CheckRecord): string {
  if (check.kind === 'ok') return `ok  ${check.name}: ${check.about}`;
  const mark = check.kind === 'not-checked' ? '-- not checked on this ground:' : 'NOT';
  return `${mark} ${check.name}: ${check.because}`;
}

function sampleLine({ at, observation, writes, reads }: Sample): string {
  const { leader, term, commit, nodes } = observation;
  const down = nodes.filter((node) => !node.up).map((node) => node.name);
  const rate = (one: typeof writes) => `${one.perSecond.toFixed(0)}/s`;
  const p99 = writes.latency === undefined ? '-' : `${writes.latency.p99.toFixed(0)} ms`;
  return [
    `${clock(at)}  writes ${rate(writes)} (p99 ${p99}), reads ${rate(reads)}`,
    `failed ${writes.failed + reads.failed}`,
    `leader ${leader ?? 'none'}, term ${term}, commit ${commit}`,
    ...(down.length === 0 ? [] : [`down ${down.join(', ')}`]),
  ].join(', ');
}

const clock = (ms: number) => `${(ms / 1_000).toFixed(1).padStart(6)}s`;
