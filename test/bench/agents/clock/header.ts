/**
 * Gives a process a clock that each request sets. `Date` is replaced as soon as this file is loaded, before the
 * server's own code, and stands still between two requests. Timers and alarms still follow the real clock.
 */

const RealDate = Date;
let now: number | undefined;

class SetDate extends RealDate {
  constructor(...values: unknown[]) {
    if (values.length === 0) super(SetDate.now());
    else super(...(values as [number]));
  }

  static override now(): number {
    return now ?? RealDate.now();
  }
}

globalThis.Date = SetDate as DateConstructor;

/** Sets the clock to the time in a request, if it has one. */
export function setClock(time: string | string[] | null | undefined): void {
  if (typeof time === "string") now = Number(time);
}
