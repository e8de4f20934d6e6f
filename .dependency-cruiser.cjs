// Who may import whom. A folder of src/ imports only what its row allows, and enters another folder
// through its index.ts.
const mayImport = {
  lib: [],
  wire: [],
  telemetry: ['lib'],
  'raft/core': ['lib'],
  'raft/driver': ['raft/core', 'lib', 'wire', 'telemetry'],
  raft: ['raft/core', 'raft/driver'],
  hsm: ['lib', 'telemetry'],
  barrier: ['lib'],
  seal: ['hsm', 'barrier', 'lib', 'telemetry'],
  store: ['raft', 'lib', 'telemetry'],
  replication: ['store', 'raft', 'lib', 'wire', 'telemetry'],
  vault: ['replication', 'store', 'barrier', 'seal', 'lib', 'telemetry'],
  auth: ['vault', 'lib', 'telemetry'],
  engines: ['vault', 'lib', 'telemetry'],
  audit: ['vault', 'lib', 'telemetry'],
  api: ['vault', 'wire', 'lib', 'telemetry'],
  client: ['lib', 'wire'],
  agent: ['client', 'lib'],
  cli: ['client', 'server/config', 'audit', 'vault', 'telemetry', 'lib'],
  'server/config': ['lib'],
  'server/certificates': ['lib'],
  server: [
    'api',
    'audit',
    'auth',
    'barrier',
    'client',
    'engines',
    'hsm',
    'lib',
    'raft',
    'replication',
    'seal',
    'store',
    'telemetry',
    'vault',
    'wire',
    'server/config',
    'server/certificates',
  ],
};

// Single files that need one door more than their floor has.
const exceptions = [
  // `strongroom server` is a node; nothing else of the command line may pull one in.
  { from: '^src/cli/commands/server\\.ts$', to: '^src/server/index\\.ts$' },
  // A snapshot file is checked by the code that writes it.
  { from: '^src/cli/commands/operator/snapshot\\.ts$', to: '^src/server/index\\.ts$' },
  // `strongroom up` makes tokens for the local cluster.
  { from: '^src/cli/local-cluster/', to: '^src/hsm/index\\.ts$' },
];
const exceptionPaths = exceptions.map((exception) => exception.from);

const folders = Object.keys(mayImport).sort((a, b) => b.length - a.length);
const inside = (folder) => `^src/${folder}/`;

const forbidden = [{ name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } }];
for (const folder of folders) {
  const nested = folders.filter((other) => other.startsWith(`${folder}/`));
  const from = {
    path: inside(folder),
    pathNot: [...nested.map(inside), ...exceptionPaths],
  };
  forbidden.push({
    name: `floor-of-${folder}`,
    severity: 'error',
    from,
    to: {
      path: '^src/',
      pathNot: [inside(folder), ...mayImport[folder].map(inside)],
    },
  });
  for (const exception of exceptions) {
    if (!exception.from.startsWith(inside(folder))) continue;
    forbidden.push({
      name: `floor-of-${exception.from}`,
      severity: 'error',
      from: { path: exception.from },
      to: {
        path: '^src/',
        pathNot: [inside(folder), ...mayImport[folder].map(inside), exception.to],
      },
    });
  }
  forbidden.push({
    name: `door-of-${folder}`,
    comment: 'Other folders come in through index.ts.',
    severity: 'error',
    from: { pathNot: [inside(folder), '^test/', '^chaos/', '^bench/'] },
    to: {
      path: inside(folder),
      pathNot: [`^src/${folder}/index\\.ts$`, '^src/wire/generated', ...nested.map(inside)],
    },
  });
}

// chaos/ is a product beside the vault, built apart: its folders in the same manner. The older
// simulation/, trace/ and mutants/ look into src/ wherever they must.
const chaosMayImport = {
  scenario: [],
  heal: [],
  history: [],
  grounds: ['scenario', 'heal'],
  faults: ['grounds', 'scenario'],
  checkers: ['grounds', 'history'],
  workloads: ['grounds', 'history', 'scenario', 'checkers'],
  runner: ['grounds', 'faults', 'workloads', 'checkers', 'history', 'heal', 'scenario'],
  report: ['runner', 'checkers', 'history', 'grounds', 'scenario'],
};
const insideChaos = (folder) => `^chaos/${folder}/`;
for (const [folder, others] of Object.entries(chaosMayImport)) {
  forbidden.push({
    name: `floor-of-chaos-${folder}`,
    severity: 'error',
    from: { path: insideChaos(folder) },
    to: {
      path: '^chaos/',
      // The simulation's ground is made of the simulation.
      pathNot: [folder, ...others, ...(folder === 'grounds' ? ['simulation'] : [])].map(
        insideChaos,
      ),
    },
  });
}
forbidden.push(
  {
    name: 'no-chaos-in-a-node',
    comment: 'A release of a node is built from src/ alone; the command line has one lazy door.',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: '^(chaos|dist-chaos|test|bench)/' },
  },
  {
    name: 'no-tests-in-chaos',
    severity: 'error',
    from: { path: '^chaos/' },
    to: { path: '^(test|bench)/' },
  },
);

module.exports = {
  forbidden,
  options: {
    tsPreCompilationDeps: true,
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/wire/generated' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.mjs'] },
  },
};
