import { renderSection, renderTable } from '../../src/cli/index.ts';
import { checkers } from '../checkers/catalogue.ts';
import { faults } from '../faults/catalogue.ts';
import { grounds } from '../grounds/catalogue.ts';
import { workloads } from '../workloads/catalogue.ts';
import { findScenario, libraryNames } from './library.ts';

/** Everything there is to run and to write scenarios with. */
export async function listView() {
  const document = await listDocument();
  return { document, table: () => asTables(document) };
}

async function listDocument() {
  const scenarios = await Promise.all(libraryNames().map((name) => findScenario(name)));
  return {
    scenarios: scenarios.map(({ name, title, grounds: on }) => ({ name, title, grounds: on })),
    faults: faults.map((fault) => ({
      name: fault.name,
      summary: fault.summary,
      danger: fault.danger,
      lasting: fault.lasting,
      // What a ground, or the operator of a running cluster, must be able to do for it.
      needs: fault.needs({}),
    })),
    workloads: workloads.map(({ name, summary }) => ({ name, summary })),
    checks: checkers.map(({ name, summary }) => ({ name, summary })),
    grounds: Object.values(grounds).map(({ name, capabilities }) => ({
      name,
      capabilities: [...capabilities].sort(),
    })),
  };
}

function asTables(all: Awaited<ReturnType<typeof listDocument>>): string {
  const described = (rows: readonly { readonly name: string; readonly summary: string }[]) =>
    renderTable(
      ['Name', 'What it is'],
      rows.map((row) => [row.name, row.summary]),
    );
  return [
    renderSection(
      'Scenarios',
      renderTable(
        ['Name', 'Title', 'Grounds'],
        all.scenarios.map((one) => [one.name, one.title, one.grounds.join(', ')]),
      ),
    ),
    renderSection(
      'Faults',
      renderTable(
        ['Name', 'Danger', 'Needs', 'What it does'],
        all.faults.map((one) => [one.name, one.danger, one.needs.join(', '), one.summary]),
      ),
    ),
    renderSection('Workloads', described(all.workloads)),
    renderSection('Checks', described(all.checks)),
    renderSection(
      'Grounds',
      renderTable(
        ['Name', 'Can do'],
        all.grounds.map((one) => [one.name, one.capabilities.join(', ')]),
      ),
    ),
  ].join('\n');
}
