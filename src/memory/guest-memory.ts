/*
 * Contract, implemented below shortly: access to the guest's memory by guest-physical address.
 */

/** What a device or a loader sees of guest memory. Every access is bounds-checked. */
export interface GuestMemoryAccess {
  /** Whether every byte is RAM or plugged device memory, in one region. */
  isUsable(gpa: number, length: number): boolean;
  /** Whether every byte is boot RAM, which is never taken away. */
  isRam(gpa: number, length: number): boolean;
  /**
   * A view that stays valid as long as the range stays usable: where `isRam` is false, check
   * `generation` before each use.
   * @returns undefined when the range is not usable
   */
  view(gpa: number, length: number): DataView | undefined;
  /** Copies out. @returns false, with nothing copied, when the range is not usable */
  read(gpa: number, target: Uint8Array, length: number): boolean;
  /** Copies in. @returns false, with nothing written, when the range is not usable */
  write(gpa: number, source: Uint8Array, length: number): boolean;
  /** Changes whenever memory is taken from the guest: what was checked before must be checked again. */
  readonly generation: number;
}
