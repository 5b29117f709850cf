import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HostError } from '../errors.ts';
import { CAPABILITY } from './capabilities.ts';
import { KvmSystem } from './system.ts';
import { NO_KVM } from './testing/tiny-guest.ts';

describe('opening KVM', () => {
  it('says what to do where there is none', () => {
    const open = (): KvmSystem => KvmSystem.open('/dev/no-such-kvm');
    expect(open).toThrow(HostError);
    expect(open).toThrow('/dev/no-such-kvm does not exist: load kvm_intel or kvm_amd');
  });

  it('refuses what is not a KVM device', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvm-'));
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => KvmSystem.open(file)).toThrow(`${file} is not a KVM device`);
    expect(() => KvmSystem.open(folder)).toThrow(`${folder} cannot be opened: open(`);
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(NO_KVM !== '')('KVM', () => {
  it('says what it supports', () => {
    const kvm = KvmSystem.open();
    expect(kvm.checkExtension(CAPABILITY.NR_MEMSLOTS)).toBeGreaterThan(0);
    const table = kvm.supportedCpuid();
    expect(table.length % 7).toBe(0);
    const leaf0 = table.findIndex((word, at) => at % 7 === 0 && word === 0);
    // EBX, EDX, ECX spell the vendor.
    const vendor = [4, 6, 5].map((register) => table[leaf0 + register] ?? 0);
    expect(Buffer.from(new Uint32Array(vendor).buffer).toString()).toMatch(/^[A-Za-z ]{12}$/);
    kvm.close();
    kvm.close();
    expect(() => kvm.supportedCpuid()).toThrow('the Kvm is closed');
  });
});
