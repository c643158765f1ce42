/** What a row of the API's table says of a route. */
import type { TSchema } from "typebox";
import type { ScopeName } from "./scope.ts";

/**
 * Who may call a route. `nobody-yet`: without a login (signing in, health). `anyone`: a person or a machine that signed in.
 * `person`: a person or the machine's owner (machines with a token can neither make tokens nor passkeys). `owner`: only over
 * the admin socket, which the file system keeps for the machine's owner.
 */
export type RouteAccess = "nobody-yet" | "anyone" | "person" | "owner";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly access: RouteAccess;
  /** What a login has to be allowed. Every route names it that is not open to everybody or the owner's alone: without it nobody is let in. */
  readonly scope?: ScopeName;
  /** Critical: a person who asks for it has to have shown a passkey within the last five minutes. */
  readonly stepUp?: true;
  readonly tag: string;
  readonly summary: string;
  readonly status: 200 | 201 | 202 | 204;
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: TSchema;
  readonly response?: TSchema;
  /** What it answers instead of JSON, as media types. */
  readonly media?: readonly string[];
}
