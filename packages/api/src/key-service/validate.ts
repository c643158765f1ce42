import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { KEY_SERVICE_ROUTES, type KeyServiceBody, type KeyServiceRouteName } from "./routes.ts";

/** A body that is as its schema says, or what is wrong with it. */
export type Validated<R extends KeyServiceRouteName> =
  | { readonly kind: "valid"; readonly body: KeyServiceBody<R> }
  | { readonly kind: "invalid"; readonly detail: string };

/** Makes the judge of all bodies; it compiles each schema once. */
export function bodyValidator(): <R extends KeyServiceRouteName>(route: R, value: unknown) => Validated<R> {
  const compiled = compileAll("body");
  return (route, value) => {
    const detail = compiled[route](value);
    return detail === undefined ? { kind: "valid", body: value as never } : { kind: "invalid", detail };
  };
}

/** Makes the judge of all answers: what is wrong with one, or nothing. */
export function responseValidator(): (route: KeyServiceRouteName, value: unknown) => string | undefined {
  const compiled = compileAll("response");
  return (route, value) => compiled[route](value);
}

function compileAll(part: "body" | "response") {
  const names = Object.keys(KEY_SERVICE_ROUTES) as KeyServiceRouteName[];
  return Object.fromEntries(names.map((name) => [name, faultOf(KEY_SERVICE_ROUTES[name][part])])) as Readonly<
    Record<KeyServiceRouteName, (value: unknown) => string | undefined>
  >;
}

function faultOf(schema: TSchema): (value: unknown) => string | undefined {
  const compiled = Compile(schema);
  return (value) => {
    if (compiled.Check(value)) return undefined;
    const [first] = compiled.Errors(value);
    const where = first === undefined || first.instancePath === "" ? "the body" : first.instancePath;
    return `${where}: ${first?.message ?? "not as the schema says"}`;
  };
}
