import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// What users import by the package's name: the build, as they get it.
const packageItself = {
  'tsvmm/testing': join(import.meta.dirname, 'dist', 'testing.js'),
  tsvmm: join(import.meta.dirname, 'dist', 'index.js'),
};

/** Of bare-metal guests, but of a host started for the purpose: the nested machine. */
const DEVICE_MEMORY = 'guest-tests/bare-metal/device-memory.test.ts';
/** On the KVM of Linux too: not every KVM lets a guest's TSC stand still. */
const GUEST_CLOCK = 'src/machine/guest-clock.test.ts';
/** Of bare-metal guests, on the KVM of Linux too: what a triple fault leaves depends on the CPU. */
const TRIPLE_FAULTS = ['boot', 'reset'].map((name) => `guest-tests/bare-metal/${name}.test.ts`);

// Suites with different needs: `unit` runs anywhere, `guest` needs /dev/kvm, `package` that and
// npm's registry, and `linux` a KVM that can run a Linux kernel (scripts/nested provides one).
// Time limits are generous: machines are shared, and an emulated one is slow.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias: packageItself },
        test: {
          name: 'guest',
          include: [
            'guest-tests/api/**/*.test.ts',
            'guest-tests/bare-metal/**/*.test.ts',
            'guest-tests/cli/**/*.test.ts',
          ],
          exclude: [DEVICE_MEMORY],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'package',
          include: ['guest-tests/package/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'linux',
          include: ['guest-tests/linux/**/*.test.ts', DEVICE_MEMORY, ...TRIPLE_FAULTS, GUEST_CLOCK],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // An emulated machine of one CPU has room for one guest, and takes long to start workers.
          maxWorkers: 1,
          isolate: false,
        },
      },
      {
        // Tries the nested machine itself, for as long as it is told; not part of scripts/test.
        test: { name: 'soak', include: ['guest-tests/soak/**/*.test.ts'] },
      },
    ],
  },
});
