/** Where to go after signing in: a path of this console, never an address elsewhere and never the sign-in again. */
export function nextPath(next: string | undefined): string {
  if (next === undefined || !/^\/(?![/\\])/.test(next) || next.startsWith("/sign-in")) return "/";
  return next;
}
