import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { SerialStream } from './serial-stream.ts';

const KIB = 1024;

/** What the guest hears, as text. */
function guestHears(stream: SerialStream): string[] {
  const heard: string[] = [];
  stream.backend.onData((bytes) => heard.push(Buffer.from(bytes).toString()));
  return heard;
}

async function text(stream: SerialStream): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what the guest says', () => {
  it('is read, up to the end', async () => {
    const stream = new SerialStream();
    const seen = text(stream);
    stream.backend.write(Buffer.from('one '));
    await turn();
    stream.backend.write(Buffer.from('two'));
    stream.finish();
    stream.finish();
    expect(await seen).toBe('one two');
  });

  it('is copied: the port uses its buffer again', async () => {
    const stream = new SerialStream();
    const buffer = Buffer.from('abc');
    stream.backend.write(buffer);
    buffer.fill(0);
    stream.finish();
    expect(await text(stream)).toBe('abc');
  });

  it('is kept while nobody reads, the latest of it, and holds nobody up', async () => {
    const stream = new SerialStream();
    for (let piece = 0; piece < 200; piece++) {
      const letter = String.fromCharCode(65 + (piece % 26));
      expect(stream.backend.write(Buffer.from(letter.repeat(KIB)))).toBe(true);
    }
    stream.finish();
    const kept = await text(stream);
    expect(kept).toHaveLength(64 * KIB);
    expect(kept.endsWith(String.fromCharCode(65 + (199 % 26)).repeat(KIB))).toBe(true);
  });

  it('waits for a reader that pauses, and so does the guest; it goes on when there is room', async () => {
    const stream = new SerialStream();
    let drained = 0;
    stream.backend.onDrain(() => drained++);
    let read = 0;
    stream.on('data', (bytes: Buffer) => (read += bytes.length));
    await turn();
    stream.pause();
    let written = 0;
    while (stream.backend.write(Buffer.alloc(KIB))) {
      written += KIB;
      expect(written).toBeLessThan(64 * KIB);
    }
    written += KIB;
    await turn();
    expect(drained).toBe(0);
    stream.resume();
    await turn();
    expect(drained).toBe(1);
    await expect.poll(() => read).toBe(written);
    expect(stream.backend.write(Buffer.alloc(KIB))).toBe(true);
  });

  it('holds nobody up once the reader is gone', async () => {
    const stream = new SerialStream();
    let drained = 0;
    stream.backend.onDrain(() => drained++);
    stream.on('data', () => undefined);
    await turn();
    stream.pause();
    while (stream.backend.write(Buffer.alloc(KIB)));
    stream.destroy();
    await turn();
    expect(drained).toBe(1);
    expect(stream.backend.write(Buffer.alloc(100 * KIB))).toBe(true);
  });
});

describe('what is written', () => {
  it('reaches the guest', async () => {
    const stream = new SerialStream();
    const heard = guestHears(stream);
    stream.write('hello');
    stream.write(Buffer.from(' world'));
    await turn();
    expect(heard.join('')).toBe('hello world');
  });

  it('waits while the guest takes nothing', async () => {
    const stream = new SerialStream();
    const heard = guestHears(stream);
    stream.backend.pauseInput();
    let done = 0;
    for (const word of ['a', 'b', 'c']) stream.write(word, () => done++);
    await turn();
    expect({ heard, done }).toEqual({ heard: [], done: 0 });
    stream.backend.resumeInput();
    await turn();
    expect({ heard: heard.join(''), done }).toEqual({ heard: 'abc', done: 3 });
  });

  it('is lost where there is no port, or no guest any more, and ends the stream', async () => {
    const stream = new SerialStream();
    await new Promise((resolve) => stream.write('nobody hears this', resolve));
    guestHears(stream);
    stream.backend.pauseInput();
    let done = false;
    stream.write('nor this', () => (done = true));
    const finished = once(stream, 'finish');
    stream.finish();
    await finished;
    expect(done).toBe(true);
  });
});
