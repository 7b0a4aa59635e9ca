/** The header with the time of a request, in milliseconds since 1970. */
export const TIME_HEADER = "x-bench-time";
