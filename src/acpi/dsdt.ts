import { integer, name, pack, scope } from './aml.ts';
import { bareNodes, nodeModule } from './bare-nodes.ts';
import type { AcpiConfig } from './config.ts';
import { hostBridge } from './host-bridge.ts';
import {
  motherboardResources,
  processorDevice,
  realTimeClock,
  serialPort,
} from './platform-devices.ts';
import { systemTable } from './system-table.ts';

/** SLP_TYP that turns the machine off when written to PM1 control together with SLP_EN. */
export const S5_SLEEP_TYPE = 5;

/**
 * The devices that cannot be discovered. There is no keyboard controller among them: nothing is
 * attached to one, and guests that look for it lose time.
 *
 * @see ACPI 6.5 §5.2.11.1
 */
export function buildDsdt(config: AcpiConfig): Uint8Array {
  const sleepType = integer(S5_SLEEP_TYPE);
  // Revision 2: integers have 64 bits.
  return systemTable('DSDT', 2, [
    name('\\_S5', pack([sleepType, sleepType, integer(0), integer(0)])),
    scope('\\_SB', [
      ...config.apicIds.map((_, uid) => processorDevice(uid)),
      ...(config.numa === undefined ? [] : bareNodes(config.numa)).map(nodeModule),
      hostBridge(config),
      motherboardResources(),
      ...(config.serial ? [serialPort()] : []),
      realTimeClock(),
    ]),
  ]);
}
