import { messageOf } from '../../errors.ts';
import { log } from '../../log.ts';
import { MadeUpDevice } from './made-up-device.ts';

/** Requests until the engine has compiled most of what it will compile. */
const REQUESTS = 6000;
/** A guest's first instructions have the event loop for themselves, ms. */
const DELAY_MS = 5;

const logger = log('machine');
let rehearsed = false;

/**
 * Has the engine compile what serves requests of memory devices before a guest makes any, with requests
 * that nobody makes, while it boots: else the first thousand take four times as long as later ones.
 * Takes some 60 ms of the event loop, about a millisecond at a time, once in a process.
 * Not while requests are traced: nobody could tell these from a guest's.
 *
 * @returns the way to stop it
 */
export function rehearse(): () => void {
  if (rehearsed || logger.isTraced) return () => undefined;
  rehearsed = true;
  let next: NodeJS.Immediate | undefined;
  const begin = (): void => {
    if (logger.isTraced) return;
    try {
      // Two, since code that has seen one device only is compiled for that one.
      const devices = [new MadeUpDevice(), new MadeUpDevice()];
      const turn = (): void => {
        next = undefined;
        if (logger.isTraced) return;
        for (const device of devices) device.step();
        const answered = devices.reduce((sum, device) => sum + device.answered, 0);
        if (answered < REQUESTS) next = setImmediate(turn);
        else for (const device of devices) void device.rest();
      };
      turn();
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'requests are not rehearsed');
    }
  };
  const timer = setTimeout(begin, DELAY_MS);
  return () => {
    clearTimeout(timer);
    if (next !== undefined) clearImmediate(next);
  };
}
