import { timeText } from "../output.ts";

const units = [
  { name: "day", seconds: 86_400 },
  { name: "hour", seconds: 3_600 },
  { name: "minute", seconds: 60 },
  { name: "second", seconds: 1 },
];

/** A time and how far away it is, such as "2026-11-26T22:00:00Z (in 59 minutes)". Seconds since 1970. */
export function timeFrom(seconds: number, now: number): string {
  const distance = Math.abs(seconds - now);
  const unit = units.find((unit) => distance >= unit.seconds) ?? units.at(-1)!;
  const count = Math.floor(distance / unit.seconds);
  const amount = `${count} ${unit.name}${count === 1 ? "" : "s"}`;
  return `${timeText(seconds)} (${seconds > now ? `in ${amount}` : `${amount} ago`})`;
}
