/** An instant as the API writes it: RFC 3339 in UTC. */
export function timeText(instant: Date | number): string {
  return (typeof instant === "number" ? new Date(instant) : instant).toISOString();
}

/** `{ [name]: text }` where there is an instant, else nothing: for optional fields. */
export function optionalTime<N extends string>(name: N, instant: Date | null | undefined): { [K in N]?: string } {
  return (instant === null || instant === undefined ? {} : { [name]: timeText(instant) }) as { [K in N]?: string };
}

/** `{ [name]: value }` unless the value is null or undefined. */
export function optional<N extends string, V>(name: N, value: V | null | undefined): { [K in N]?: V } {
  return (value === null || value === undefined ? {} : { [name]: value }) as { [K in N]?: V };
}
