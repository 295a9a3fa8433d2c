/**
 * Who may import whom, for dependency-cruiser. The picture is in README.md, section "The map".
 */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(app|renderer|main|ingest|engines|native|test)/', pathNot: allowed },
});

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle means that two things are one thing; a type-only import back is fine.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('renderer', '^renderer/', '^(renderer/|app/contract/)', 'The picture knows the contract.'),
    only('contract', '^app/contract/', '^app/contract/', 'The contract knows nobody.'),
    only('app', '^app/(?!contract/)', '^(app/|ingest/|engines/|native/index\\.ts$)', 'app knows ingest and engines.'),
    only('ingest', '^ingest/', '^(ingest/|native/index\\.ts$)', 'ingest knows documents only.'),
    only('engines', '^engines/', '^engines/', 'engines knows nobody.'),
    only('native', '^native/', '^native/', 'native knows nobody.'),
    only('main', '^main/', '^(main/|app/|ingest/|engines/|native/(index|load)\\.ts$)', 'main wires it all.'),
    {
      name: 'native-by-type-only',
      comment: 'What stands above native can be tested with no addon built.',
      severity: 'error',
      from: { path: '^(app|ingest)/' },
      to: { path: '^native/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'electron-in-its-folder',
      severity: 'error',
      from: { pathNot: '^(main/electron|test)/' },
      to: { path: 'node_modules/electron(/|$)' },
    },
    {
      name: 'contract-needs-zod-only',
      severity: 'error',
      from: { path: '^app/contract/' },
      to: { path: 'node_modules', pathNot: 'node_modules/zod' },
    },
    {
      name: 'no-node-in-the-picture',
      severity: 'error',
      from: { path: '^(renderer|app/contract)/', pathNot: '^renderer/vite\\.config\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '\\?(url|worker)|\\.css$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'test/tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
