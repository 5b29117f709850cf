import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ByteSink } from './byte-sink.ts';

/** A stream that nobody reads. */
function stuck(): Writable {
  return new Writable({ write: () => undefined });
}

describe('ByteSink', () => {
  it('copies what it is given', async () => {
    const stream = new PassThrough();
    const sink = new ByteSink(stream, 'test');
    const buffer = Buffer.from('abc');
    sink.write(buffer);
    buffer.fill('x');
    await sink.finish();
    expect(String(stream.read())).toBe('abc');
  });

  it('asks the sender to wait, and tells when to go on', async () => {
    const stream = new PassThrough();
    const sink = new ByteSink(stream, 'test');
    let drained = 0;
    sink.onDrain(() => (drained += 1));
    while (sink.write(new Uint8Array(4096)));
    expect(drained).toBe(0);
    stream.resume();
    await once(stream, 'drain');
    expect(drained).toBe(1);
  });

  it('bounds what it holds for a sender that does not wait', () => {
    const stream = stuck();
    const sink = new ByteSink(stream, 'test');
    for (let i = 0; i < 1000; i++) sink.write(new Uint8Array(64 * 1024));
    expect(stream.writableLength).toBeLessThan(1200 * 1024);
  });

  it('drops everything after a failure, and lets a waiting sender go on', async () => {
    const stream = stuck();
    const sink = new ByteSink(stream, 'test', 'debug');
    let drained = 0;
    sink.onDrain(() => (drained += 1));
    expect(sink.write(new Uint8Array(100_000))).toBe(false);
    stream.destroy(new Error('gone'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(drained).toBe(1);
    expect(sink.write(new Uint8Array(100_000))).toBe(true);
    await sink.finish();
  });

  it('finishes although its reader has stopped reading', async () => {
    const sink = new ByteSink(stuck(), 'test');
    sink.write('never read');
    await sink.finish();
  });
});
