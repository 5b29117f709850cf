/** Fixed hardware of ACPI 6.5 §4.8.3, in its words. */

/**
 * PM1 event block: 16 bits of status, then 16 of enable (§4.8.3.1). These are the events that
 * this machine has.
 */
export const PM1_STS = { TMR: 0x0001, PWRBTN: 0x0100 } as const;

/**
 * Those that read back what was written: TMR, GBL, PWRBTN, SLPBTN, RTC. An OS checks that an event
 * it enables stays so, whether or not the event can happen.
 */
export const PM1_EN_MASK = 0x0721;

/** PM1 control block (§4.8.3.2). */
export const PM1_CNT = {
  SCI_EN: 0x0001,
  /** BM_RLD and SLP_TYP: read back what was written. */
  stored: 0x1c02,
  SLP_TYP_SHIFT: 10,
  SLP_TYP_MASK: 7,
  /** Write-only. */
  SLP_EN: 0x2000,
} as const;

/** SLP_TYP of S5, soft off; the DSDT's `_S5` says the same. */
export const SLP_TYP_S5 = 5;

/** §4.8.2.1. */
export const PM_TIMER_HZ = 3_579_545;
/** The FADT says the same: TMR_VAL_EXT is clear. */
export const PM_TIMER_BITS = 24;
