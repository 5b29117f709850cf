import { afterEach, describe, expect, it } from 'vitest';
import { setLogLevel } from '../../log.ts';
import { GIB } from '../../units.ts';
import {
  VIRTIO_MEM_REQ_PLUG as PLUG,
  VIRTIO_MEM_REQ_STATE as STATE,
  VIRTIO_MEM_REQ_UNPLUG as UNPLUG,
  VIRTIO_MEM_REQ_UNPLUG_ALL as UNPLUG_ALL,
} from './spec.ts';
import { DeviceRig, REGION_GPA as BASE } from './testing/device-rig.ts';

setLogLevel('silent');

let rig: DeviceRig | undefined;
afterEach(() => rig?.close());

function started(): DeviceRig {
  rig = new DeviceRig({ requestedSize: GIB });
  rig.driver.start();
  return rig;
}

const timed = ({ device: { latencies } }: DeviceRig): readonly number[] =>
  [latencies.plug, latencies.unplug, latencies['unplug-all'], latencies.state].map(
    ({ summary }) => summary.count,
  );

describe('how long requests take', () => {
  it('is recorded by what was asked, whatever the answer', async () => {
    const it = started();
    await it.ask(PLUG, BASE, 2);
    await it.ask(PLUG, BASE, 2);
    await it.ask(PLUG, BASE - 1, 2);
    await it.ask(UNPLUG, BASE, 1);
    await it.ask(UNPLUG_ALL, 0, 0);
    expect(timed(it)).toEqual([3, 1, 1, 0]);
    for (const histogram of [it.device.latencies.plug, it.device.latencies['unplug-all']]) {
      const { medianNs, p99Ns, maxNs } = histogram.summary;
      expect(medianNs).toBeGreaterThan(0);
      expect(p99Ns).toBeGreaterThanOrEqual(medianNs);
      expect(maxNs).toBeGreaterThanOrEqual(p99Ns);
    }
  });

  it('is recorded of some STATE requests, the first among them; all are counted', async () => {
    const it = started();
    await it.ask(STATE, BASE, 1);
    expect(timed(it)).toEqual([0, 0, 0, 1]);
    for (let round = 1; round < 33; round++) await it.ask(STATE, BASE, 1);
    expect(timed(it)).toEqual([0, 0, 0, 3]);
    expect(it.device.answers.ack).toBe(33);
  });
});
