import type { MachineToken, Me } from "@meterkeep/api";
import type { Login, OpenedLogin } from "@meterkeep/headend";
import type { FastifyReply } from "fastify";
import { loginOf, SESSION_COOKIE } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** Signing in by link, signing out, machine tokens. */
export function peopleHandlers(
  context: Context,
): Pick<Handlers, "me" | "signIn" | "signOut" | "listTokens" | "createToken" | "deleteToken" | "newSignInLink"> {
  const { people, tokens } = context;
  return {
    me: async ({ request }) => meOf(context, loginOf(request)),
    signIn: async ({ body, reply }) => {
      const opened = await people.claimLink(body.token);
      await record(context, "signed-in", opened.login.name, { person: opened.login.id, by: "link" });
      return admit(context, opened, reply);
    },
    signOut: async ({ request, reply }) => {
      const cookie = request.cookies[SESSION_COOKIE];
      if (cookie !== undefined) await people.endSession(cookie);
      reply.clearCookie(SESSION_COOKIE, { path: "/" });
    },
    listTokens: async () => ({ tokens: (await tokens.list()).map(tokenOf) }),
    createToken: async ({ body, request }) => {
      const login = loginOf(request);
      // Least privilege: whoever wants more says so.
      const scope = body.scope ?? "read";
      await record(context, "token-created", login.name, {
        name: body.name,
        scope,
        days: body.days ?? 365,
      });
      const { token, record: created } = await tokens.create(
        body.name,
        scope,
        login.kind === "person" ? login.id : undefined,
        body.days,
      );
      return { token, record: tokenOf(created) };
    },
    deleteToken: async ({ params, request }) => {
      await record(context, "token-withdrawn", loginOf(request).name, { token: params.id });
      if (!(await tokens.withdraw(params.id))) throw new ProblemError("not-found", "there is no token of that id");
    },
    newSignInLink: async ({ request }) => {
      await record(context, "login-recovered", loginOf(request).name, {});
      return { url: signInUrl(context.config.url, await people.newLink("recover")) };
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
    path: "/",
    httpOnly: true,
    sameSite: "strict",
    // Over https always. Over http the console answers to localhost alone, which never leaves this machine, and there a
    // cookie that is marked Secure is dropped by some browsers (Safari) and by every program but a browser.
    secure: context.config.url.startsWith("https:"),
    ...(login.expiresAt === undefined ? {} : { expires: login.expiresAt }),
  });
  return meOf(context, login);
}

async function meOf(context: Context, login: Login): Promise<Me> {
  const passkeys = login.kind === "person" ? await context.passkeys.ofPerson(login.id) : [];
  return {
    kind: login.kind,
    id: login.id,
    name: login.name,
    roles: [...login.roles],
    scope: login.scope,
    ...(login.signedInAt === undefined ? {} : { signedInAt: login.signedInAt.toISOString() }),
    ...(login.expiresAt === undefined ? {} : { expiresAt: login.expiresAt.toISOString() }),
    passkeys: passkeys.length,
  };
}

function tokenOf(token: Awaited<ReturnType<Context["tokens"]["list"]>>[number]): MachineToken {
  return {
    id: token.id,
    name: token.name,
    scope: token.scope,
    createdAt: token.createdAt.toISOString(),
    ...(token.expiresAt === undefined ? {} : { expiresAt: token.expiresAt.toISOString() }),
    ...(token.lastUsedAt === undefined ? {} : { lastUsedAt: token.lastUsedAt.toISOString() }),
  };
}
