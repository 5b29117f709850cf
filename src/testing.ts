/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/*
 * tsvmm for tests: a console to talk to a guest with, and fixtures.
 */
import type { VmOptions } from './api/options.ts';
import { SerialConsole } from './api/serial-console.ts';
import { createVm, type Vm } from './api/vm.ts';

export { SerialConsole, type ExpectOptions } from './api/serial-console.ts';

/** A machine that runs, and a console that reads its serial port. */
export interface RunningVm {
  readonly vm: Vm;
  readonly console: SerialConsole;
}

export interface VmFixtureOptions extends VmOptions {
  /** What the guest says when it is ready for the test. Default: the test begins at once. */
  readonly ready?: string | RegExp | undefined;
}

/**
 * A fixture for `test.extend` of vitest: each test that uses it gets a machine of its own, closed
 * when the test is over.
 *
 *     const it = test.extend<{ running: RunningVm }>({ running: vmFixture({ kernel, ready: 'login:' }) });
 */
export function vmFixture(
  options: VmFixtureOptions,
): (context: object, use: (running: RunningVm) => Promise<void>) => Promise<void> {
  const { ready, ...vmOptions } = options;
  // vitest wants to see the braces: they tell which other fixtures this one takes.
  return async ({}, use) => {
    const vm = await createVm(vmOptions);
    try {
      const console = new SerialConsole(vm.serial);
      await vm.start();
      if (ready !== undefined) await console.expect(ready);
      await use({ vm, console });
    } finally {
      await vm.close();
    }
  };
}
