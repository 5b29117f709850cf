import { describe, expect, it } from 'vitest';
import type { LinuxGuest } from './linux-guest.ts';
import { useLinux } from './use-linux.ts';

/** Seconds without its watchdog's thread after which Linux reports a CPU: twice this. */
const WATCHDOG_THRESH = 5;
/** How long the machine is paused, ms. */
const PAUSE_MS = 15_000;

/** Seconds since boot, by the clock that Linux uses. */
async function uptime(guest: LinuxGuest): Promise<number> {
  return Number.parseFloat(await guest.run('cat /proc/uptime'));
}

/** Pauses a guest that is busy. @returns seconds that its clock went on by, that it ran, and stood */
async function pause(guest: LinuxGuest) {
  await guest.run(`echo ${WATCHDOG_THRESH} >/proc/sys/kernel/watchdog_thresh`);
  await guest.run('(while :; do cat /proc/kallsyms; done >/dev/null) & echo $! >/tmp/busy');
  const start = performance.now();
  const from = await uptime(guest);
  await guest.monitor.command('stop');
  const stopped = performance.now();
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  const paused = performance.now() - stopped;
  await guest.monitor.command('cont');
  const clock = (await uptime(guest)) - from;
  const running = performance.now() - start - paused;
  await guest.run('kill $(cat /tmp/busy)');
  return { clock, running: running / 1000, paused: paused / 1000 };
}

describe('a busy Linux guest over a pause', () => {
  const linux = useLinux({ cpus: 2 });

  it('does not see the time pass, and reports no lockup', async () => {
    const guest = linux();
    const { clock, running } = await pause(guest);
    expect(clock).toBeLessThan(running + 0.1);
    expect(await guest.logged('lockup|stall|clocksource: .*unstable')).toBe('');
  });
});

describe('with --pause-clock run', () => {
  const linux = useLinux({ cpus: 2, args: ['--pause-clock', 'run'] });

  it('its clock goes on, and it reports no lockup', async () => {
    const guest = linux();
    const { clock, paused } = await pause(guest);
    expect(clock).toBeGreaterThan(paused - 0.1);
    expect(await guest.logged('lockup|stall|clocksource: .*unstable')).toBe('');
  });
});
