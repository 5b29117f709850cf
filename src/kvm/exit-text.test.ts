import { describe, expect, it } from 'vitest';
import { EXIT_KIND, EXIT_RECORD, ExitRecordReader, KVM_EXIT, type VcpuExit } from './exit.ts';
import { describeExit, failedInstruction, isEmulationFailure } from './exit-text.ts';

interface Fields {
  readonly reason: number;
  readonly kind?: number;
  readonly errno?: number;
  readonly detail?: number;
  readonly values?: readonly bigint[];
}

function exitOf({ reason, kind, errno, detail, values = [] }: Fields): VcpuExit {
  const view = new DataView(new ArrayBuffer(EXIT_RECORD.bytes));
  view.setUint32(EXIT_RECORD.kind, kind ?? EXIT_KIND.other, true);
  view.setUint32(EXIT_RECORD.reason, reason, true);
  view.setUint32(EXIT_RECORD.errno, errno ?? 0, true);
  view.setUint32(EXIT_RECORD.detail, detail ?? 0, true);
  view.setUint32(EXIT_RECORD.valueCount, values.length, true);
  values.forEach((value, index) => {
    view.setBigUint64(EXIT_RECORD.values + index * 8, value, true);
  });
  return new ExitRecordReader(view).read();
}

describe('an emulation failure', () => {
  const values = [1n, 0x0807_0605_0403_0203n, 0x0e0dn];
  const exit = exitOf({ reason: KVM_EXIT.INTERNAL_ERROR, detail: 1, values });

  it('is told by name, with the bytes that KVM had fetched', () => {
    expect(isEmulationFailure(exit)).toBe(true);
    expect(describeExit(exit)).toBe('emulation failure');
    // Three bytes: the first says so.
    expect([...failedInstruction(exit)]).toEqual([2, 3, 4]);
  });

  it('has no bytes where KVM says none', () => {
    const none = exitOf({ reason: KVM_EXIT.INTERNAL_ERROR, detail: 1, values: [0n, 5n, 6n] });
    expect(failedInstruction(none)).toHaveLength(0);
    expect(failedInstruction(exitOf({ reason: KVM_EXIT.SHUTDOWN }))).toHaveLength(0);
  });
});

describe('other exits', () => {
  it('are told in words, with their numbers', () => {
    const fault = { reason: KVM_EXIT.MEMORY_FAULT, values: [0x1000n, 0x2000n, 0n] };
    const failed = { kind: EXIT_KIND.runFailed, errno: 14 };
    expect(describeExit(exitOf({ reason: KVM_EXIT.SHUTDOWN }))).toBe('triple fault');
    expect(describeExit(exitOf({ reason: 250 }))).toBe('KVM exit 250');
    expect(describeExit(exitOf({ reason: KVM_EXIT.INTERNAL_ERROR, detail: 77 }))).toBe(
      'KVM internal error 77',
    );
    expect(describeExit(exitOf({ ...fault, ...failed }))).toBe(
      'KVM_RUN failed with errno 14: memory fault (0x1000, 0x2000, 0x0)',
    );
    expect(describeExit(exitOf({ reason: KVM_EXIT.UNKNOWN, ...failed }))).toBe(
      'KVM_RUN failed with errno 14',
    );
  });

  it('never have more values than the record', () => {
    const exit = exitOf({ reason: KVM_EXIT.SHUTDOWN });
    expect(exit.values()).toEqual([]);
    const view = new DataView(new ArrayBuffer(EXIT_RECORD.bytes));
    view.setUint32(EXIT_RECORD.valueCount, 0xffff_ffff, true);
    expect(new ExitRecordReader(view).read().values()).toHaveLength(16);
  });
});
