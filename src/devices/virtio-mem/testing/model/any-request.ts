/** A request as the guest makes it: any address, any count. */
export interface AnyRequest {
  readonly type: 'plug' | 'unplug' | 'unplug-all' | 'state';
  readonly addr: number;
  readonly count: number;
}
