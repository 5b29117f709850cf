import type { MonitorCommand } from '../command.ts';

export const infoKvm: MonitorCommand = {
  name: 'info kvm',
  summary: 'show that KVM runs the guest; tsvmm knows no other way',
  run: () => 'kvm support: enabled\n',
};
