import { MIB } from '../../../guest-tests/harness/sizes.ts';
import type { Measurement, Values } from '../measurement.ts';
import { AgentVm, type Vmm } from '../vmm.ts';

const BYTES = 256 * MIB;
const PAGE = 4096;

/** With the defaults of both, as users have them. */
async function run(vmm: Vmm): Promise<Values> {
  const device = { size: '64G', requested: '256M', dynamic: true };
  return await AgentVm.run(vmm, device, async ({ agent }) => {
    const { addr } = await agent.initMem();
    const values: Record<string, number> = {};
    // A host that is a virtual machine itself may have to get its free memory back first.
    for (let pass = 0; pass < 2; pass++) {
      await agent.ok('sync');
      const start = performance.now();
      await agent.ok(`touch ${addr} ${BYTES} ${PAGE}`);
      values['touch 256M ms'] = performance.now() - start;
      values['unplug touched 256M ms'] = (await agent.field('bench unplug-all', 'total')) / 1e6;
    }
    return values;
  });
}

/** What a guest pays that uses its memory, and gives it back. */
export const touched: Measurement = { name: 'touched', run };
