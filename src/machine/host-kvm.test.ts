import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeModel, inspectHostKvm, metadataModel } from './host-kvm.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsvmm-host-kvm-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Modules with their parameters, as a folder for sysfs. */
function hostWith(cpuFlag: string, modules: Readonly<Record<string, Record<string, string>>>) {
  for (const [name, parameters] of Object.entries(modules)) {
    const path = join(folder, name, 'parameters');
    mkdirSync(path, { recursive: true });
    for (const [key, value] of Object.entries(parameters)) {
      writeFileSync(join(path, key), `${value}\n`);
    }
  }
  const cpuinfo = join(folder, 'cpuinfo');
  writeFileSync(cpuinfo, `flags\t\t: fpu ${cpuFlag} lm\n`);
  return inspectHostKvm(folder, cpuinfo);
}

const amd = (npt: string, tdpMmu: string, nested = '1') =>
  hostWith('svm', { kvm: { tdp_mmu: tdpMmu }, kvm_amd: { npt, nested } });

const NEW = '6.12.118+deb13-amd64';
const OLD = '6.1.0-50-amd64';

describe('what a memslot costs', () => {
  it.each([
    ['1', 'Y', NEW, 'TDP MMU'],
    ['1', 'Y', OLD, 'TDP MMU, write tracking'],
    ['1', 'N', NEW, 'shadow MMU'],
    ['1', 'N', OLD, 'shadow MMU, write tracking'],
    // The TDP MMU needs nested paging, whatever its parameter says.
    ['0', 'Y', NEW, 'shadow MMU, write tracking'],
    ['1', 'Y', '6.8.12', 'TDP MMU, write tracking'],
    ['1', 'Y', '6.9.0-rc1', 'TDP MMU'],
    ['1', 'Y', '7.0', 'TDP MMU'],
    ['1', 'Y', 'who knows', 'TDP MMU, write tracking'],
  ])('depends on npt=%s, tdp_mmu=%s and kernel %s: %s', (npt, tdpMmu, release, expected) => {
    expect(describeModel(metadataModel(amd(npt, tdpMmu), release, []))).toBe(expected);
  });

  it.each([
    ['CONFIG_KVM_EXTERNAL_WRITE_TRACKING=y', true],
    ['# CONFIG_KVM_EXTERNAL_WRITE_TRACKING is not set', false],
    ['CONFIG_KVM=m', true],
  ])('depends on what an older kernel was built with: %s', (line, writeTracking) => {
    const config = join(folder, 'config-RELEASE');
    writeFileSync(config.replace('RELEASE', OLD), `# Linux\n${line}\nCONFIG_VHOST=m\n`);
    expect(metadataModel(amd('1', 'Y'), OLD, [config])).toMatchObject({ writeTracking });
  });

  it('is the most where nothing is known', () => {
    const host = hostWith('', {});
    expect(metadataModel(host, NEW, [])).toEqual({
      reverseMaps: true,
      writeTracking: true,
      nesting: true,
    });
  });
});

describe('guests of guests', () => {
  it.each([
    ['1', true],
    ['0', false],
  ])('run with nested=%s: %s', (nested, nesting) => {
    expect(amd('1', 'Y', nested).nesting).toBe(nesting);
    const intel = {
      kvm: { tdp_mmu: 'Y' },
      kvm_intel: { ept: 'Y', nested: nested === '1' ? 'Y' : 'N' },
    };
    rmSync(join(folder, 'kvm_amd'), { recursive: true });
    expect(hostWith('vmx', intel)).toMatchObject({ module: 'kvm_intel', tdpMmu: true, nesting });
  });

  it('do not run without hardware', () => {
    const host = hostWith('', { kvm: { tdp_mmu: 'Y' }, kvm_pvm: {} });
    expect(host).toMatchObject({ hardware: false, tdp: false, tdpMmu: false, nesting: false });
  });
});
