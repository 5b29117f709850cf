import { messageOf } from '../../../../errors.ts';
import { Random } from './random.ts';
import { randomShape, type Shape } from './shape.ts';
import { randomStep, type Step } from './step.ts';
import { Trial } from './trial.ts';

/** Runs that shrinking may take. */
const SHRINK_RUNS = 300;

/** @returns what differs, and after how many steps; undefined when nothing does */
async function run(
  shape: Shape,
  steps: Iterable<Step> | ((trial: Trial) => Iterable<Step>),
): Promise<{ readonly at: number; readonly why: string } | undefined> {
  const trial = new Trial(shape);
  let at = 0;
  try {
    for (const step of typeof steps === 'function' ? steps(trial) : steps) {
      at += 1;
      await trial.take(step);
    }
    return undefined;
  } catch (error) {
    return { at, why: messageOf(error) };
  } finally {
    await trial.close();
  }
}

/** Runs a list of steps again. @throws Error when the device and the model differ */
export async function replay(shape: Shape, steps: readonly Step[]): Promise<void> {
  const failure = await run(shape, steps);
  if (failure !== undefined) throw new Error(`step ${failure.at}: ${failure.why}`);
}

/** Leaves out what is not needed for a failure, from large pieces to single steps. */
async function shrink(shape: Shape, steps: readonly Step[]): Promise<readonly Step[]> {
  let least = steps;
  let runs = 0;
  for (let size = steps.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < least.length; ) {
      const fewer = [...least.slice(0, at), ...least.slice(at + size)];
      if (runs++ > SHRINK_RUNS) return least;
      const failure = await run(shape, fewer);
      if (failure === undefined) at += size;
      else least = fewer.slice(0, failure.at);
    }
  }
  return least;
}

/**
 * Takes random steps with a random device, and compares it with the model after each.
 *
 * @throws Error with the seed and the fewest steps that were found to fail, ready for `replay`
 */
export async function explore(seed: number, count: number): Promise<void> {
  const random = new Random(seed);
  const shape = randomShape(random);
  const taken: Step[] = [];
  const failure = await run(shape, function* (trial) {
    while (taken.length < count) {
      const step = randomStep(random, trial.model);
      taken.push(step);
      yield step;
    }
  });
  if (failure === undefined) return;
  const steps = await shrink(shape, taken);
  const last = (await run(shape, steps))?.why ?? 'passes when it is run again';
  const list = steps.map((step) => `    ${JSON.stringify(step)},`).join('\n');
  throw new Error(
    `seed ${seed}, step ${failure.at}: ${failure.why}\nfewer steps: ${last}\n` +
      `  await replay(${JSON.stringify(shape)}, [\n${list}\n  ]);`,
  );
}
