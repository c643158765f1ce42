import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Organisation } from "../sign-in/organisation.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";
import { admit, cookieOptions } from "./sign-in.ts";

/** Which sign-in with the organisation's provider this browser has begun. */
const BEGUN_COOKIE = "meterkeep_signing_in";

/** Signing in with the organisation's provider: the browser goes there and comes back to the console, which brings the answer. */
export function organisationHandlers(
  context: Context,
): Pick<Handlers, "organisationSignInOptions" | "organisationSignIn"> {
  return {
    organisationSignInOptions: async ({ reply }) => {
      const { address, id } = await organisationOf(context)
        .begin()
        .catch((cause: unknown) => {
          throw new ProblemError("organisation-unavailable", "sign in by a passkey or a link meanwhile", { cause });
        });
      reply.setCookie(BEGUN_COOKIE, id, cookieOptions(context));
      return { address };
    },
    organisationSignIn: async ({ body, request, reply }) => {
      const organisation = organisationOf(context);
      const begun = request.cookies[BEGUN_COOKIE];
      reply.clearCookie(BEGUN_COOKIE, { path: "/" });
      const subject =
        begun === undefined
          ? undefined
          : await organisation.finish(begun, body.answer).catch((cause: unknown) => {
              request.log.warn({ err: cause }, "a sign-in with the organisation's provider was refused");
              throw refused(cause);
            });
      if (subject === undefined) throw refused();
      const opened = await context.logins.openBySubject(subject);
      await record(context, "signed-in", opened.login.name, { person: opened.login.id, by: "organisation", subject });
      return admit(context, opened, reply);
    },
  };
}

function organisationOf({ organisation }: Context): Organisation {
  if (organisation === undefined) throw new ProblemError("not-found", "no organisation's provider is set up here");
  return organisation;
}

/** Whatever was wrong, the browser learns that it was refused, and no more; the log has the reason. */
function refused(cause?: unknown): ProblemError {
  return new ProblemError("sign-in-refused", "this sign-in was not accepted; begin anew", { cause });
}
