/** Showing a passkey again, when the server asks for it before something critical. */
import type { Me, PasskeyOptions } from "@meterkeep/api";
import { postJson, RequestError } from "../api/request.ts";

/** Does it; where the server wants a passkey shown first, has the browser show one and does it again. @throws RequestError */
export async function steppedUp<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof RequestError) || error.code !== "step-up-required") throw error;
    await showPasskey();
    return act();
  }
}

async function showPasskey(): Promise<Me> {
  const [{ startAuthentication }, { challengeId, options }] = await Promise.all([
    import("@simplewebauthn/browser"),
    postJson<PasskeyOptions>("/step-up/options"),
  ]);
  const response = await startAuthentication({ optionsJSON: options as never });
  return postJson<Me>("/step-up", { challengeId, response });
}
