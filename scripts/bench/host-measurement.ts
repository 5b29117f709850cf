/** What a measurement of the host leaves: a section of the report, and files beside it. */
export interface HostReportSection {
  readonly markdown: string;
  /** Contents by file name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Something about this kernel that no VMM changes: measured once, whatever the rounds. */
export interface HostMeasurement {
  readonly name: string;
  readonly run: (quick: boolean) => HostReportSection | Promise<HostReportSection>;
}
