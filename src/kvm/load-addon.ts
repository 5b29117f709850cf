import { createRequire } from 'node:module';
import { errorCode, HostError, messageOf } from '../errors.ts';
import { packageFile } from '../package-root.ts';

const ADDON = 'build/Release/tsvmm.node';
const COMPILE = 'scripts/build-native.mjs';

/** Of `process`. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
  readonly versions: Readonly<Record<string, string | undefined>>;
}

/** Why the addon cannot run here whatever was compiled; undefined when it can. */
export function whyUnsupported({ platform, arch, versions }: Platform): string | undefined {
  for (const [name, version] of [
    ['Bun', versions.bun],
    ['Deno', versions.deno],
  ]) {
    // They have Node-API, but not libuv, without which eventfds cannot wake the event loop.
    if (version !== undefined) return `tsvmm runs on Node.js only, not on ${name} ${version}`;
  }
  if (platform !== 'linux') return `tsvmm runs on Linux only, which has KVM, not on ${platform}`;
  if (arch !== 'x64') return `tsvmm runs on x86-64 (x64) only, not on ${arch}`;
  return undefined;
}

/**
 * What to say of an addon that could not be loaded.
 *
 * @param glibc  version of the C library that Node.js runs on; undefined when that is another one
 */
export function whyNotLoaded(error: unknown, glibc: string | undefined): string {
  const compile = `compile it: node '${packageFile(COMPILE)}'`;
  const path = packageFile(ADDON);
  if (errorCode(error) === 'MODULE_NOT_FOUND') return `there is no addon ${path}; ${compile}`;
  if (errorCode(error) !== 'ERR_DLOPEN_FAILED') return `${path}: ${messageOf(error)}`;
  if (glibc === undefined) {
    return `the addon ${path} is for glibc, and Node.js runs on another C library here (musl?); ${compile}`;
  }
  const wanted = /version `?(GLIBC_[\d.]+)'? not found/.exec(messageOf(error))?.[1];
  if (wanted === undefined) return `${messageOf(error)}; ${compile}`;
  return `the addon ${path} needs ${wanted}, and this host has glibc ${glibc}; ${compile}`;
}

function glibcVersion(): string | undefined {
  // Or the report would wait for names of network peers; Node.js 20 does not know it.
  if ('excludeNetwork' in process.report) process.report.excludeNetwork = true;
  const report: { header?: { glibcVersionRuntime?: string } } = process.report.getReport();
  return report.header?.glibcVersionRuntime;
}

/** @throws HostError that says in one line what to do */
export function loadAddon(): unknown {
  const unsupported = whyUnsupported(process);
  if (unsupported !== undefined) throw new HostError('PLATFORM_UNSUPPORTED', unsupported);
  try {
    return createRequire(import.meta.url)(packageFile(ADDON));
  } catch (error) {
    throw new HostError('ADDON_NOT_LOADED', whyNotLoaded(error, glibcVersion()), { cause: error });
  }
}
