import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { copyTree, ROOT } from './packed.ts';

/** Of this machine, how registries are reached; the rest buildah passes on by itself. */
const REGISTRY_VARIABLES = [
  'npm_config_registry',
  'NPM_CONFIG_REGISTRY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
];
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const run = promisify(execFile);

/** Why no image can be built here; empty when one can. */
export function whyNoImage(): string {
  if (process.getuid?.() !== 0) return 'only root can build images here';
  try {
    execFileSync('buildah', ['--version'], { stdio: 'ignore' });
    return '';
  } catch {
    return 'buildah is missing: scripts/assets image-tools installs it';
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** A machine's root as an image: an OCI layout, of which buildah takes everything in one pass. */
async function writeLayout(root: string, layout: string): Promise<void> {
  const blobs = join(layout, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const layer = join(layout, 'layer');
  const idle = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'root/.npm'];
  const exclude = idle.map((folder) => `--exclude=./${folder}/*`);
  await run('tar', ['-C', root, '--numeric-owner', ...exclude, '-cf', layer, '.']);
  const digest = await sha256(layer);
  const type = (kind: string): string => `application/vnd.oci.image.${kind}`;
  const put = (value: unknown): { digest: string; size: number } => {
    const text = JSON.stringify(value);
    const name = createHash('sha256').update(text).digest('hex');
    writeFileSync(join(blobs, name), text);
    return { digest: `sha256:${name}`, size: Buffer.byteLength(text) };
  };
  const { size } = statSync(layer);
  renameSync(layer, join(blobs, digest));
  const variables = REGISTRY_VARIABLES.filter((name) => process.env[name] !== undefined);
  const own = variables.map((name) => `${name}=${process.env[name] ?? ''}`);
  const config = put({
    architecture: 'amd64',
    os: 'linux',
    // Where scripts/fresh has put npm's settings.
    config: { Env: [`PATH=${PATH}`, 'NPM_CONFIG_GLOBALCONFIG=/etc/npmrc', ...own] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  });
  const manifest = put({
    schemaVersion: 2,
    mediaType: type('manifest.v1+json'),
    config: { mediaType: type('config.v1+json'), ...config },
    layers: [{ mediaType: type('layer.v1.tar'), digest: `sha256:${digest}`, size }],
  });
  const index = { mediaType: type('manifest.v1+json'), ...manifest };
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [index] }),
  );
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

/** A root of Debian 12 with Node.js and a compiler, as scripts/fresh makes and keeps it. */
async function freshRoot(): Promise<string> {
  await run(join(ROOT, 'scripts', 'fresh'), ['bookworm', '--', 'true']);
  const script = '. scripts/lib/report.sh && . scripts/lib/cache.sh && cache_folder';
  const { stdout } = await run('bash', ['-c', script], { cwd: ROOT });
  return join(stdout.trim(), 'fresh', 'bookworm', 'root');
}

/** Images and containers of buildah that are in a folder, and go with it. */
export class Images {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns its standard output */
  async buildah(...args: readonly string[]): Promise<string> {
    const [root, state] = ['images', 'state'].map((name) => join(this.#folder, name));
    const places = [`--root=${root ?? ''}`, `--runroot=${state ?? ''}`];
    const options = { cwd: this.#folder, maxBuffer: 2 ** 26 };
    const { stdout } = await run('buildah', [...places, ...args], options);
    return stdout.trim();
  }

  /** Builds the Dockerfile; for the images that it starts from, a fresh Debian 12 does. */
  async build(tag: string): Promise<void> {
    const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name = '']) => name);
    await writeLayout(await freshRoot(), join(this.#folder, 'layout'));
    // Its path becomes the image's name, which has no capitals: so not the whole path.
    const id = await this.buildah('pull', '--quiet', 'oci:layout');
    await this.buildah('tag', id, ...bases.map((name) => `docker.io/library/${name}`));
    const tree = copyTree(this.#folder);
    const options = ['--isolation', 'chroot', '--pull-never', '--tag', tag];
    await this.buildah('build', ...options, tree);
  }

  /** Ends what buildah has mounted. */
  async remove(): Promise<void> {
    await this.buildah('rm', '--all');
    await this.buildah('rmi', '--all', '--force');
  }
}
