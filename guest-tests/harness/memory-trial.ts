import { expect } from 'vitest';
import { MemoryModel, type Run } from './memory-model.ts';
import type { Monitor } from './monitor.ts';
import { paused, violations } from './protection-scene.ts';
import { Random } from './random.ts';
import type { Vm } from './vm.ts';

export interface TrialOptions {
  readonly seed: number;
  readonly steps: number;
  /** Blocks that may be requested at most. */
  readonly mostBlocks: number;
  /** Blocks that the host can provide; absent: all that may be requested. */
  readonly capacity?: number;
  /** Bytes of a memslot; absent: there is one, always. */
  readonly slotSize?: number;
  /** Whether neighbouring memslots may be one when there are many. */
  readonly sharedSlots?: boolean;
  /** Bytes at the start of each block that the guest uses; absent: all of it. */
  readonly part?: number;
  /** Whether the guest cannot reach unplugged memory, so that using it stops the machine. */
  readonly guarded?: boolean;
  /** Bytes of the device that the host holds now, when that can be told. */
  readonly held?: (vm: Vm) => number;
  /** Whether the host sets plugged memory aside before the guest has touched it. */
  readonly secured?: boolean;
}

/** Fills and checks take time by their length. */
const MOST_FILLED = 4;

/** A guest and a model of its memory device, which take the same random steps. */
export class MemoryTrial {
  readonly #vm: Vm;
  readonly #monitor: Monitor;
  readonly #options: TrialOptions;
  readonly #random: Random;
  readonly #model: MemoryModel;
  /** What was done, for whoever has to find out. */
  readonly #log: string[] = [];
  #violations = 0;
  #busy = 0;

  private constructor(vm: Vm, monitor: Monitor, model: MemoryModel, options: TrialOptions) {
    this.#vm = vm;
    this.#monitor = monitor;
    this.#model = model;
    this.#options = options;
    this.#random = new Random(options.seed);
    model.capacity = options.capacity ?? Infinity;
  }

  /**
   * Takes all steps.
   *
   * @returns how many requests were answered BUSY
   * @throws Error with the seed and what was done, when anything is amiss
   */
  static async run(vm: Vm, options: TrialOptions): Promise<number> {
    const model = new MemoryModel(await vm.agent.initMem());
    const trial = new MemoryTrial(vm, await vm.monitor(), model, options);
    try {
      for (let step = 0; step < options.steps; step++) await trial.#step();
      await trial.#compare();
      await trial.#verify({ first: 0, count: model.blocks.length });
      expect(await vm.agent.ok('unplug-all')).toBe('ack');
      model.unplugAll();
      await trial.#compare();
      return trial.#busy;
    } catch (cause) {
      const done = trial.#log.slice(-60).join('\n  ');
      throw new Error(`seed ${options.seed}, after\n  ${done}\n${String(cause)}`, { cause });
    }
  }

  async #step(): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 30) await this.#plug();
    else if (dice < 52) await this.#unplug();
    else if (dice < 72) await this.#fill();
    else if (dice < 80) await this.#verify(this.#anyRun(true));
    else if (dice < 85) await this.#state();
    else if (dice < 91) await this.#resize();
    else if (dice < 93) await this.#unplugAll();
    else if (dice < 95) await this.#driverReset();
    else if (dice < 96) await this.#systemReset();
    else if (dice < 97 && this.#options.guarded === true) await this.#violate();
    else await this.#compare();
  }

  /** Part of a run of blocks that are all plugged, or all not; now and then any blocks. */
  #anyRun(plugged: boolean): Run {
    const total = this.#model.blocks.length;
    const runs = this.#model.runs((it) => ((it !== undefined) === plugged ? true : undefined));
    if (runs.length === 0 || this.#random.below(12) === 0) {
      return { first: this.#random.below(total + 2) - 1, count: this.#random.below(6) };
    }
    const run = this.#random.pick(runs);
    const first = run.first + this.#random.below(run.count);
    const most = Math.min(run.first + run.count - first, this.#random.pick([1, 3, 8, 40]));
    return { first, count: 1 + this.#random.below(most) };
  }

  async #ask(what: 'plug' | 'unplug' | 'state', run: Run): Promise<string> {
    const should = this.#model.judge(what, run);
    this.#log.push(`${what} ${run.first} ${run.count}: ${should}`);
    const command = `${what} ${this.#model.address(run.first)} ${run.count}`;
    expect(await this.#vm.agent.ok(command), command).toBe(should);
    if (should === 'busy') this.#busy += 1;
    return should;
  }

  async #plug(): Promise<void> {
    const run = this.#anyRun(false);
    if ((await this.#ask('plug', run)) !== 'ack') return;
    this.#model.set(run, { seed: 0, touched: false });
    if (this.#random.below(2) === 0) await this.#verify(run);
  }

  async #unplug(): Promise<void> {
    const run = this.#anyRun(true);
    if ((await this.#ask('unplug', run)) === 'ack') this.#model.set(run, undefined);
  }

  async #state(): Promise<void> {
    await this.#ask('state', this.#anyRun(this.#random.below(2) === 0));
  }

  async #fill(): Promise<void> {
    const run = this.#random.pick([this.#anyRun(true), { first: 0, count: 1 }]);
    const first = Math.max(0, run.first);
    const blocks = this.#model.blocks.slice(first, first + Math.min(run.count, MOST_FILLED));
    const missing = blocks.indexOf(undefined);
    const count = missing < 0 ? blocks.length : missing;
    if (count === 0) return;
    const seed = 1 + this.#random.below(2 ** 30);
    this.#log.push(`fill ${first} ${count} with ${seed}`);
    for (const range of this.#ranges({ first, count })) {
      await this.#vm.agent.ok(`fill ${range} ${seed}`);
    }
    this.#model.set({ first, count }, { seed, touched: true });
  }

  /** What the guest uses of blocks, as address and length. */
  #ranges({ first, count }: Run): readonly string[] {
    const { part } = this.#options;
    if (part === undefined) return [`${this.#model.address(first)} ${count * this.#model.block}`];
    return Array.from({ length: count }, (_, at) => `${this.#model.address(first + at)} ${part}`);
  }

  /** Every block that is plugged holds what was written to it last, or zeros. */
  async #verify({ first, count }: Run): Promise<void> {
    this.#log.push(`verify ${first} ${count}`);
    for (const run of this.#model.runs((it) => it?.seed)) {
      const start = Math.max(run.first, first);
      const end = Math.min(run.first + run.count, first + count);
      if (end <= start) continue;
      for (const range of this.#ranges({ first: start, count: end - start })) {
        await this.#vm.agent.ok(run.value === 0 ? `zero ${range}` : `check ${range} ${run.value}`);
      }
      this.#model.set({ first: start, count: end - start }, { seed: run.value, touched: true });
    }
  }

  async #resize(): Promise<void> {
    const bytes = this.#random.below(this.#options.mostBlocks + 1) * this.#model.block;
    this.#log.push(`resize to ${bytes}`);
    expect(await this.#monitor.command(`qom-set vm0 requested-size ${bytes}`)).toBe('');
    this.#model.resize(bytes);
  }

  async #unplugAll(): Promise<void> {
    this.#log.push('unplug-all');
    expect(await this.#vm.agent.ok('unplug-all')).toBe('ack');
    this.#model.unplugAll();
  }

  /** The device forgets its driver, and nothing else. */
  async #driverReset(): Promise<void> {
    this.#log.push('driver reset');
    await this.#vm.agent.initMem();
    await this.#compare();
  }

  async #systemReset(): Promise<void> {
    const how = this.#random.pick(['by the host', 'cf9', 'triple']);
    this.#log.push(`system reset, ${how}`);
    if (how === 'by the host') await this.#monitor.command('system_reset');
    else await this.#vm.agent.ok(`reboot ${how}`);
    await this.#vm.agent.ready();
    await this.#vm.agent.initMem();
    this.#model.unplugAll();
    await this.#compare();
  }

  /** Uses a block that is not plugged: the machine stops, and only a reset helps. */
  async #violate(): Promise<void> {
    const { first } = this.#random.pick([
      { first: this.#model.blocks.indexOf(undefined) },
      { first: this.#model.blocks.lastIndexOf(undefined) },
    ]);
    const access = this.#random.pick(['peek 8', 'poke 8']);
    this.#log.push(`${access} at ${first}, not plugged`);
    this.#vm.process.write(`${access} ${this.#model.address(first)} 5\n`);
    expect(await paused(this.#monitor)).toContain('violation of vm0');
    this.#violations += 1;
    expect(await violations(this.#monitor)).toBe(this.#violations);
    await this.#monitor.command('system_reset');
    await this.#monitor.command('cont');
    await this.#vm.agent.ready();
    await this.#vm.agent.initMem();
    this.#model.unplugAll();
  }

  /** What the guest reads, what the monitor says and what the host holds is what the model says. */
  async #compare(): Promise<void> {
    const { block, requested, usable, plugged, blocks } = this.#model;
    this.#log.push('compare');
    const config = await this.#vm.agent.memConfig();
    expect(config).toMatchObject({ requested, usable, plugged: plugged * block });
    const device = await this.#monitor.command('info memory-devices -v');
    const { guarded, held, secured, part = block } = this.#options;
    this.#compareSlots(device);
    expect(device).toContain(` busy ${this.#busy}, `);
    expect(device).toContain(`violations: ${this.#violations}\n`);
    if (guarded === true) expect(device).toContain('unprotected-blocks: 0\n');
    if (held === undefined) return;
    const bytes = held(this.#vm);
    const written = blocks.filter((it) => it !== undefined && it.seed !== 0).length;
    const touched = blocks.filter((it) => it?.touched === true).length;
    expect(bytes).toBeGreaterThanOrEqual(secured === true ? plugged * block : written * part);
    expect(bytes).toBeLessThanOrEqual(secured === true ? plugged * block : touched * part);
  }

  #compareSlots(device: string): void {
    const { slotSize, sharedSlots } = this.#options;
    const size = this.#model.blocks.length * this.#model.block;
    const total = Math.ceil(size / (slotSize ?? size));
    const slots = slotSize === undefined ? 1 : this.#model.windows(slotSize);
    if (sharedSlots !== true) {
      expect(device).toContain(`memslots: ${slots} in ${slots} of ${total} windows\n`);
      return;
    }
    const [, active] = /memslots: \d+ in (\d+) of /.exec(device) ?? [];
    expect(Number(active)).toBeGreaterThanOrEqual(slots);
    if (slots === 0) expect(Number(active)).toBe(0);
  }
}
