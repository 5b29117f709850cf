/** Class and subclass, from the PCI Code and ID Assignment Specification. */
const CLASS_NAMES: Readonly<Record<number, string>> = {
  0x0100: 'SCSI controller',
  0x0101: 'IDE controller',
  0x0106: 'SATA controller',
  0x0180: 'Storage controller',
  0x0200: 'Ethernet controller',
  0x0280: 'Network controller',
  0x0300: 'VGA controller',
  0x0380: 'Display controller',
  0x0500: 'RAM controller',
  0x0580: 'Memory controller',
  0x0600: 'Host bridge',
  0x0601: 'ISA bridge',
  0x0604: 'PCI bridge',
  0x0680: 'Bridge',
  0x0780: 'Communication controller',
  0x0880: 'System peripheral',
  0x0c05: 'SMBus',
};

/** @param code  class and subclass, 16 bits */
export function className(code: number): string {
  return CLASS_NAMES[code] ?? `Class ${String(code).padStart(4, '0')}`;
}
