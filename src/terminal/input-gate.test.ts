import { describe, expect, it } from 'vitest';
import { InputGate } from './input-gate.ts';

function newGate(): { gate: InputGate; source: string[] } {
  const source: string[] = [];
  const gate = new InputGate({
    pause: () => source.push('pause'),
    resume: () => source.push('resume'),
  });
  return { gate, source };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('InputGate', () => {
  it('keeps what comes before anybody reads', () => {
    const { gate } = newGate();
    gate.push(bytes('ab'));
    gate.push(bytes('c'));
    let got = '';
    gate.onData((data) => (got += Buffer.from(data).toString()));
    expect(got).toBe('abc');
  });

  it('holds input while paused and keeps its order', () => {
    const { gate } = newGate();
    let got = '';
    gate.onData((data) => {
      got += Buffer.from(data).toString();
      gate.pause();
    });
    for (const each of ['a', 'b', 'c']) gate.push(bytes(each));
    expect(got).toBe('a');
    gate.resume();
    expect(got).toBe('ab');
    gate.resume();
    expect(got).toBe('abc');
  });

  it('pauses a source that sends too much, drops what comes all the same, and resumes it', () => {
    const { gate, source } = newGate();
    gate.pause();
    let got = 0;
    gate.onData((data) => (got += data.length));
    expect(gate.push(new Uint8Array(40_000))).toBe(true);
    expect(source).toEqual([]);
    expect(gate.push(new Uint8Array(40_000))).toBe(true);
    expect(source).toEqual(['pause']);
    expect(gate.push(bytes('lost'))).toBe(false);
    gate.resume();
    expect(got).toBe(80_000);
    expect(source).toEqual(['pause', 'resume']);
  });

  it('tells of the end once, after everything that waited', () => {
    const { gate } = newGate();
    const seen: string[] = [];
    gate.onData((data) => seen.push(Buffer.from(data).toString()));
    gate.onEnd(() => seen.push('end'));
    gate.pause();
    gate.push(bytes('last'));
    gate.end();
    expect(seen).toEqual([]);
    gate.resume();
    gate.resume();
    expect(seen).toEqual(['last', 'end']);
  });
});
