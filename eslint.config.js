import tseslint from 'typescript-eslint';
import noImportCycles from './scripts/lib/no-import-cycles.mjs';

/*
 * Imports point one way. Each folder of src lists the folders it may import from; the leaf files
 * (errors, units, bytes, log) are open to all and import no folder.
 */
const LAYERS = {
  kvm: [],
  memory: ['kvm'],
  bus: [],
  pci: ['bus'],
  virtio: ['memory', 'bus'],
  'virtio/pci-transport': ['memory', 'bus', 'pci', 'virtio'],
  devices: ['virtio', 'memory', 'bus'],
  acpi: ['memory'],
  boot: ['memory'],
  machine: ['kvm', 'memory', 'bus', 'pci', 'virtio', 'devices', 'acpi', 'boot'],
  terminal: [],
  monitor: ['machine', 'terminal'],
  qmp: ['machine', 'monitor', 'terminal'],
  api: ['devices', 'machine', 'monitor', 'qmp', 'terminal'],
  launch: [],
};
const FOLDERS = [...Object.keys(LAYERS).filter((name) => !name.includes('/')), 'cli'];

function layer(folder, allowed) {
  const own = folder.split('/')[0];
  const forbidden = FOLDERS.filter((name) => name !== own && !allowed.includes(name));
  const patterns = forbidden.map((name) => ({
    regex: `^(\\.\\./)+${name}/`,
    message: `${folder} may import only from: ${[...allowed, 'the leaf files'].join(', ')}`,
  }));
  patterns.push({
    regex: '^(\\.\\./)+(cli|index|testing)\\.ts$',
    message: 'nothing imports the entry points',
  });
  if (folder === 'virtio') {
    patterns.push({ regex: '^\\./pci-transport/', message: 'virtio does not know its transports' });
  }
  if (folder === 'devices') {
    patterns.push({
      regex: '^\\.\\./[a-z0-9-]+/',
      message: 'devices do not import their siblings',
    });
  }
  return {
    files: [`src/${folder}/**/*.ts`],
    ignores: folder === 'virtio' ? ['src/virtio/pci-transport/**'] : [],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
}

export default tseslint.config(
  { ignores: ['dist', 'build', 'node_modules', '**/*.js', '**/*.mjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { tsvmm: { rules: { 'no-import-cycles': noImportCycles } } },
    rules: {
      'tsvmm/no-import-cycles': 'error',
      '@typescript-eslint/strict-boolean-expressions': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/prefer-nullish-coalescing': 'error',
      '@typescript-eslint/no-unsafe-type-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/units.ts', 'src/log.ts', 'src/kvm/addon.ts'],
    rules: { '@typescript-eslint/no-unsafe-type-assertion': 'off' },
  },
  // Tests and scripts print, and reach for fixtures that the compiler cannot know.
  {
    files: ['**/*.test.ts', 'guest-tests/**', 'scripts/**'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  ...Object.entries(LAYERS).map(([folder, allowed]) => layer(folder, allowed)),
);
