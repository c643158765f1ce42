/**
 * What a look at the machine found. `failed` keeps Meterkeep from starting, `warning` makes it worse than it could be,
 * `optional` is missing but only some of the tests want it.
 */
export interface Finding {
  /** Stable name, for example `port-8420-tcp`. */
  readonly id: string;
  readonly status: "ok" | "warning" | "failed" | "optional";
  /** What is so, as a short sentence. */
  readonly text: string;
  /** What to do; present unless all is well. */
  readonly fix?: string;
}

export function ok(id: string, text: string): Finding {
  return { id, status: "ok", text };
}

export function problem(id: string, status: Exclude<Finding["status"], "ok">, text: string, fix: string): Finding {
  return { id, status, text, fix };
}
