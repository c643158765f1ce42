import type { MachineToken } from "@meterkeep/api";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** Tokens of machines. */
export function tokenHandlers(context: Context): Pick<Handlers, "listTokens" | "createToken" | "deleteToken"> {
  const { tokens } = context;
  return {
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
