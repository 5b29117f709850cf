import { afterEach, describe, expect, it } from 'vitest';
import type { DiscardListener, DiscardManager } from '../discard-manager.ts';

/** A region of a discard manager, nothing of it populated, and what changes that. */
export interface DiscardRig {
  readonly manager: DiscardManager;
  /** Bytes: at least 40 times the granularity. */
  readonly size: number;
  /** Has so many granules hold memory. @returns false when a listener has refused */
  populate(first: number, count: number): Promise<boolean>;
  discard(first: number, count: number): Promise<void>;
  /** All at once. */
  discardAll(): Promise<void>;
  close(): void;
}

type Tell = (what: '+' | '-', first: number, count: number) => void;

/** Writes down what it hears, as `a+3/2`: two granules from the third on appear. */
class Recorder implements DiscardListener {
  readonly heard: string[];
  readonly #name: string;
  readonly #rig: DiscardRig;
  /** Called before it is written down. */
  tell: Tell = () => undefined;

  constructor(name: string, rig: DiscardRig, heard: string[]) {
    this.#name = name;
    this.#rig = rig;
    this.heard = heard;
  }

  onPopulate(offset: number, length: number): void {
    this.#hear('+', offset, length);
  }

  onDiscard(offset: number, length: number): void {
    this.#hear('-', offset, length);
  }

  #hear(what: '+' | '-', offset: number, length: number): void {
    const { granularity } = this.#rig.manager;
    const [first, count] = [offset / granularity, length / granularity];
    this.tell(what, first, count);
    this.heard.push(`${this.#name}${what}${first}/${count}`);
  }
}

interface Scene {
  readonly rig: DiscardRig;
  /** What all listeners heard, in order. */
  readonly heard: string[];
  /** Makes a listener, and registers it. */
  readonly listen: (name: string, tell?: Tell) => Recorder;
  /** What was heard since the last call. */
  readonly news: () => string;
}

type Stage = () => Scene;

const refuse = (): never => {
  throw new Error('refused');
};

/** What everybody may rely on who asks a discard manager: call it from the manager's tests. */
export function describeDiscardManager(name: string, factory: () => DiscardRig): void {
  const open: DiscardRig[] = [];
  const stage: Stage = () => {
    const rig = factory();
    open.push(rig);
    const heard: string[] = [];
    const listen = (who: string, tell?: Tell): Recorder => {
      const recorder = new Recorder(who, rig, heard);
      if (tell !== undefined) recorder.tell = tell;
      rig.manager.register(recorder);
      return recorder;
    };
    return { rig, heard, listen, news: () => heard.splice(0).join(' ') };
  };

  describe(`${name}, as every discard manager,`, () => {
    afterEach(() => {
      for (const rig of open.splice(0)) rig.close();
    });
    describeQueries(stage);
    describeNotifications(stage);
    describeRefusals(stage);
    describeComingAndGoing(stage);
  });
}

function describeQueries(stage: Stage): void {
  /** Runs as `first/count` in bytes, from a range in bytes. */
  const runs = (scene: Scene, populated: boolean, offset: number, length: number): string => {
    const { manager } = scene.rig;
    const found: string[] = [];
    const visit = (at: number, bytes: number): void => void found.push(`${at}/${bytes}`);
    if (populated) manager.replayPopulated(offset, length, visit);
    else manager.replayDiscarded(offset, length, visit);
    return found.join(' ');
  };

  it('says which ranges hold memory to the last byte', async () => {
    const { rig } = stage();
    const { manager } = rig;
    const unit = manager.granularity;
    await rig.populate(2, 3);
    expect(manager.isPopulated(2 * unit, 3 * unit)).toBe(true);
    expect(manager.isPopulated(3 * unit + 1, 1)).toBe(true);
    expect(manager.isPopulated(2 * unit - 1, 1)).toBe(false);
    expect(manager.isPopulated(2 * unit - 1, 2)).toBe(false);
    expect(manager.isPopulated(5 * unit - 1, 1)).toBe(true);
    expect(manager.isPopulated(5 * unit - 1, 2)).toBe(false);
    expect(manager.isPopulated(0, rig.size)).toBe(false);
    expect(manager.isPopulated(0, 0)).toBe(true);
    expect(manager.isPopulated(rig.size - 1, 2)).toBe(false);
  });

  it('gives maximal runs, whatever requests they are made of', async () => {
    const scene = stage();
    const { rig } = scene;
    const unit = rig.manager.granularity;
    await rig.populate(3, 1);
    await rig.populate(1, 2);
    await rig.populate(4, 2);
    await rig.populate(36, 1);
    await rig.discard(5, 1);
    expect(runs(scene, true, 0, rig.size)).toBe(`${unit}/${4 * unit} ${36 * unit}/${unit}`);
    expect(runs(scene, false, 0, rig.size)).toBe(
      `0/${unit} ${5 * unit}/${31 * unit} ${37 * unit}/${rig.size - 37 * unit}`,
    );
  });

  it('cuts runs to a range that covers parts of them', async () => {
    const scene = stage();
    const unit = scene.rig.manager.granularity;
    await scene.rig.populate(1, 2);
    const half = unit / 2;
    expect(runs(scene, true, unit + half, unit)).toBe(`${unit + half}/${unit}`);
    expect(runs(scene, true, half, 3 * unit)).toBe(`${unit}/${2 * unit}`);
    expect(runs(scene, false, half, 3 * unit)).toBe(`${half}/${half} ${3 * unit}/${half}`);
    expect(runs(scene, true, 2 * unit + 1, 1)).toBe(`${2 * unit + 1}/1`);
    expect(runs(scene, true, unit, 0)).toBe('');
    expect(runs(scene, false, 0, 0)).toBe('');
  });
}

function describeNotifications(stage: Stage): void {
  it('tells listeners in their order, once for a range however many granules it has', async () => {
    const { rig, listen, news } = stage();
    listen('a');
    listen('b');
    await rig.populate(1, 5);
    expect(news()).toBe('a+1/5 b+1/5');
    await rig.populate(6, 1);
    expect(news()).toBe('a+6/1 b+6/1');
    await rig.discard(2, 2);
    expect(news()).toBe('a-2/2 b-2/2');
  });

  it('tells of each run when everything goes', async () => {
    const { rig, listen, news } = stage();
    listen('a');
    await rig.populate(1, 2);
    await rig.populate(3, 1);
    await rig.populate(8, 30);
    news();
    await rig.discardAll();
    expect(news()).toBe('a-1/3 a-8/30');
    await rig.discardAll();
    expect(news()).toBe('');
  });

  it('has a range hold no memory while it comes and while it goes', async () => {
    const { rig, listen } = stage();
    const { manager } = rig;
    const seen: boolean[] = [];
    listen('a', (_what, first, count) => {
      const unit = manager.granularity;
      seen.push(manager.isPopulated(first * unit, count * unit));
    });
    await rig.populate(0, 2);
    await rig.discard(0, 1);
    await rig.discardAll();
    expect(seen).toEqual([false, false, false]);
  });

  it('tells who comes what is there, and who leaves that it is gone', async () => {
    const { rig, listen, news } = stage();
    await rig.populate(1, 2);
    await rig.populate(3, 1);
    await rig.populate(7, 1);
    const late = listen('a');
    expect(news()).toBe('a+1/3 a+7/1');
    await rig.discard(2, 1);
    news();
    rig.manager.unregister(late);
    expect(news()).toBe('a-1/1 a-3/1 a-7/1');
    rig.manager.unregister(late);
    await rig.populate(20, 1);
    await rig.discardAll();
    expect(news()).toBe('');
  });

  it('does not let a listener keep memory that goes', async () => {
    const { rig, listen, news } = stage();
    listen('a', (what) => {
      if (what === '-') refuse();
    });
    listen('b');
    await rig.populate(1, 2);
    await rig.discard(1, 1);
    await rig.discardAll();
    expect(news()).toBe('a+1/2 b+1/2 b-1/1 b-2/1');
    expect(rig.manager.isPopulated(rig.manager.granularity, 1)).toBe(false);
  });
}

function describeRefusals(stage: Stage): void {
  it('takes a range back from those who were told, the last first, when one refuses', async () => {
    const { rig, listen, news } = stage();
    listen('a');
    listen('b');
    const third = listen('c', (what) => {
      if (what === '+') refuse();
    });
    listen('d');
    expect(await rig.populate(4, 2)).toBe(false);
    expect(news()).toBe('a+4/2 b+4/2 b-4/2 a-4/2');
    expect(rig.manager.isPopulated(4 * rig.manager.granularity, 1)).toBe(false);
    third.tell = () => undefined;
    expect(await rig.populate(4, 2)).toBe(true);
    expect(news()).toBe('a+4/2 b+4/2 c+4/2 d+4/2');
  });

  it('does not add who refuses what is there', async () => {
    const { rig, listen, news } = stage();
    for (const first of [1, 4, 7]) await rig.populate(first, 1);
    let left = 2;
    const picky: Tell = (what) => {
      if (what === '+' && left-- === 0) refuse();
    };
    expect(() => listen('a', picky)).toThrow('refused');
    expect(news()).toBe('a+1/1 a+4/1 a-1/1 a-4/1');
    expect(await rig.populate(10, 1)).toBe(true);
    expect(news()).toBe('');
  });
}

function describeComingAndGoing(stage: Stage): void {
  it('lets a listener leave while it is told, and skips nobody for that', async () => {
    const { rig, listen, news } = stage();
    listen('a');
    const leaver: Recorder = listen('b', (what) => {
      if (what === '+') rig.manager.unregister(leaver);
    });
    listen('c');
    await rig.populate(3, 1);
    // It writes the beginning down only after it has left.
    expect(news()).toBe('a+3/1 b-3/1 b+3/1 c+3/1');
    await rig.discard(3, 1);
    expect(news()).toBe('a-3/1 c-3/1');
  });

  it('lets one listener remove others, before and after they are told', async () => {
    const { rig, listen, news } = stage();
    await rig.populate(9, 1);
    const before = listen('a');
    listen('b', (what, first) => {
      if (what !== '+' || first !== 3) return;
      rig.manager.unregister(before);
      rig.manager.unregister(after);
    });
    const after = listen('c');
    news();
    expect(await rig.populate(3, 1)).toBe(true);
    expect(news()).toBe('a+3/1 a-3/1 a-9/1 c-9/1 b+3/1');
  });

  it('tells who leaves during a discard of it, once', async () => {
    const { rig, listen, news } = stage();
    await rig.populate(1, 2);
    await rig.populate(9, 1);
    const before = listen('a');
    listen('b', (what, first) => {
      if (what !== '-' || first !== 1) return;
      rig.manager.unregister(before);
      rig.manager.unregister(after);
    });
    const after = listen('c');
    news();
    await rig.discardAll();
    expect(news()).toBe('a-1/2 a-9/1 c-1/2 c-9/1 b-1/2 b-9/1');
  });

  it('tells who comes during a notification what it missed, and nothing twice', async () => {
    const { rig, listen, news } = stage();
    await rig.populate(9, 1);
    const waiting: string[] = ['d', 'c'];
    listen('a', (_what, first) => {
      const name = first === 9 ? undefined : waiting.pop();
      if (name !== undefined) listen(name);
    });
    listen('b');
    news();
    await rig.populate(3, 1);
    expect(news()).toBe('c+9/1 a+3/1 b+3/1 c+3/1');
    await rig.discard(3, 1);
    expect(news()).toBe('d+9/1 a-3/1 b-3/1 c-3/1');
    await rig.discard(9, 1);
    expect(news()).toBe('a-9/1 b-9/1 c-9/1 d-9/1');
  });

  it('takes nothing back twice from who leaves while a refusal is undone', async () => {
    const { rig, listen, news } = stage();
    const first = listen('a');
    listen('b', (what) => {
      if (what === '-') rig.manager.unregister(first);
    });
    listen('c', (what) => {
      if (what === '+') refuse();
    });
    expect(await rig.populate(3, 1)).toBe(false);
    expect(news()).toBe('a+3/1 b+3/1 a-3/1 b-3/1');
  });
}
