/**
 * Gives a process a clock that each request sets. `Date` is replaced as soon as this file is loaded, before the
 * server's own code, and stands still between two requests. Timers and alarms still follow the real clock.
 *
 * It is JavaScript, because workerd loads it as it stands.
 */

const RealDate = Date;
let now;

class SetDate extends RealDate {
  constructor(...values) {
    if (values.length === 0) super(SetDate.now());
    else super(...values);
  }

  static now() {
    return now ?? RealDate.now();
  }
}

globalThis.Date = SetDate;

/** Sets the clock to the time in a request, in milliseconds since 1970, if the request has one. */
export function setClock(time) {
  if (typeof time === "string") now = Number(time);
}
