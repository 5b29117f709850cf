import { ConvergenceReporter } from './convergence-reporter.ts';
import type { MachineEvents } from './events.ts';
import type { MemoryDevice } from './memory-devices.ts';
import { devicePath } from './memory-objects.ts';

/**
 * Tells a machine's listeners what its memory devices do.
 *
 * @param onRequest  called after each request for a size
 * @returns the way to stop
 */
export function reportMemoryDevices(
  devices: readonly MemoryDevice[],
  machine: { readonly events: MachineEvents; readonly isRunning: boolean },
  onRequest: () => void,
): () => void {
  const stops = devices.flatMap(({ device }) => {
    const { id } = device;
    const path = devicePath(id);
    const reporter = new ConvergenceReporter({
      device,
      isRunning: () => machine.isRunning,
      tell: (report) => {
        machine.events.emit({ type: 'memory-device-convergence', id, path, ...report });
      },
    });
    return [
      device.onSizeRequest(() => {
        reporter.requested();
        onRequest();
      }),
      device.onSizeChange(() => {
        const { sizes } = device;
        machine.events.emit({ type: 'memory-device-size', id, size: sizes.pluggedSize, path });
        reporter.sizeChanged(sizes);
      }),
      () => reporter.close(),
    ];
  });
  return () => {
    for (const stop of stops) stop();
  };
}
