import { dirname } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { guestPath } from '../harness/guests.ts';
import { TempDir } from '../harness/temp-dir.ts';
import { Images, whyNoImage } from './container.ts';

const REASON = whyNoImage();

// It installs, compiles and packs all of the project.
const LIMIT = 1_500_000;

it.skipIf(REASON !== '')(
  `the Dockerfile makes an image that runs guests${REASON && ` (${REASON})`}`,
  async () => {
    const dir = new TempDir();
    onTestFinished(() => dir.remove());
    const images = new Images(dir.path);
    onTestFinished(() => images.remove());
    await images.build('tsvmm-image');
    const image = await images.buildah('inspect', '--type', 'image', 'tsvmm-image');
    expect(JSON.parse(image) as unknown).toMatchObject({
      OCIv1: { config: { Entrypoint: ['tsvmm'] } },
    });

    const container = await images.buildah('from', '--pull-never', 'tsvmm-image');
    const guests = dirname(guestPath('hello'));
    const places = ['--volume', '/dev/kvm:/dev/kvm', '--volume', `${guests}:/guests:ro`];
    const inside = ['run', '--isolation', 'chroot', ...places, container, '--', 'tsvmm'];
    expect(await images.buildah(...inside, '--version')).toMatch(/^\d+\.\d+\.\d+$/);
    const hello = ['run', '--monitor', 'none', '--memory', '16M', '--kernel', '/guests/hello.elf'];
    expect(await images.buildah(...inside, ...hello)).toContain('hello');
  },
  LIMIT,
);
