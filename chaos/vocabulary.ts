import { checkers } from './checkers/catalogue.ts';
import { faultNamed, faults } from './faults/catalogue.ts';
import { grounds } from './grounds/catalogue.ts';
import type { Vocabulary } from './scenario/vocabulary.ts';
import { workloads } from './workloads/catalogue.ts';

/** All words that a scenario may use, from the four catalogues. */
export const vocabulary: Vocabulary = {
  faults,
  workloads,
  checkers,
  impossible(name, parameters, ground) {
    const capabilities = grounds[ground]?.capabilities;
    // A ground that this build lacks is refused when a run asks for it.
    if (capabilities === undefined) return undefined;
    const lacking = faultNamed(name)
      .needs(parameters)
      .filter((one) => !capabilities.has(one));
    if (lacking.length === 0) return undefined;
    return `the ground "${ground}" cannot do ${name}: it lacks ${lacking.join(', ')}; leave it out of "grounds"`;
  },
};
