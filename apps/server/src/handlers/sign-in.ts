import type { Me } from "@meterkeep/api";
import type { Login, OpenedLogin } from "@meterkeep/headend";
import type { FastifyReply } from "fastify";
import { loginOf, SESSION_COOKIE, STEP_UP_MILLISECONDS } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** Signing in by link, signing out, and who is asking. */
export function signInHandlers(
  context: Context,
): Pick<Handlers, "me" | "signIn" | "signInWays" | "signOut" | "newSignInLink"> {
  const { logins } = context;
  return {
    me: async ({ request }) => meOf(context, loginOf(request)),
    signInWays: async () => (context.organisation === undefined ? {} : { organisation: context.organisation.name }),
    signIn: async ({ body, reply }) => {
      const opened = await logins.claimLink(body.token);
      await record(context, "signed-in", opened.login.name, { person: opened.login.id, by: "link" });
      return admit(context, opened, reply);
    },
    signOut: async ({ request, reply }) => {
      const cookie = request.cookies[SESSION_COOKIE];
      if (cookie !== undefined) await logins.endSession(cookie);
      await context.streams.endOfThoseOut();
      reply.clearCookie(SESSION_COOKIE, { path: "/" });
    },
    newSignInLink: async ({ request }) => {
      await record(context, "login-recovered", loginOf(request).name, {});
      const link = await logins.newLink("recover");
      await context.streams.endOfThoseOut();
      return { url: signInUrl(context.config.url, link) };
    },
  };
}

/** The link that a person opens: the token stands behind `#`, so no server and no log ever sees it. */
export function signInUrl(address: string, token: string): string {
  return `${address}/sign-in#${token}`;
}

/** Puts the session's cookie on the answer and says who has signed in. */
export function admit(context: Context, { cookie, login }: OpenedLogin, reply: FastifyReply): Promise<Me> {
  reply.setCookie(SESSION_COOKIE, cookie, {
    ...cookieOptions(context),
    ...(login.expiresAt === undefined ? {} : { expires: login.expiresAt }),
  });
  return meOf(context, login);
}

/** How our cookies are set: for this site alone, and for no script. */
export function cookieOptions({ config }: Pick<Context, "config">) {
  return {
    path: "/",
    httpOnly: true,
    sameSite: "strict",
    // Over https always. Over http the console answers to localhost alone, which never leaves this machine, and there a
    // cookie that is marked Secure is dropped by some browsers (Safari) and by every program but a browser.
    secure: config.url.startsWith("https:"),
  } as const;
}

/** A login as it is told to whom it belongs. */
export async function meOf(context: Context, login: Login): Promise<Me> {
  const passkeys = login.kind === "person" ? await context.passkeys.ofPerson(login.id) : [];
  const until = login.provenAt === undefined ? 0 : login.provenAt.getTime() + STEP_UP_MILLISECONDS;
  return {
    kind: login.kind,
    id: login.id,
    name: login.name,
    roles: [...login.roles],
    scopes: [...login.scopes],
    ...(login.signedInAt === undefined ? {} : { signedInAt: login.signedInAt.toISOString() }),
    ...(login.expiresAt === undefined ? {} : { expiresAt: login.expiresAt.toISOString() }),
    ...(until > context.now() ? { steppedUpUntil: new Date(until).toISOString() } : {}),
    passkeys: passkeys.length,
  };
}
