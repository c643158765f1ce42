/** Signing in: by a link that works once, by a passkey, or with the organisation's provider. */
import type { Me, OrganisationSignIn, PasskeyOptions } from "@meterkeep/api";
import { IconBuilding, IconFingerprint } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { meQuery, signInWaysQuery } from "../api/queries.ts";
import { postJson, RequestError } from "../api/request.ts";
import { Command } from "../shell/command.tsx";
import { Failure } from "../shell/failure.tsx";
import { KeepMark } from "../shell/mark.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { nextPath } from "./next-path.ts";
import "./sign-in.css";

export function SignInPage() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const search = useSearch({ strict: false }) as { next?: string };
  const enter = async (me: Me) => {
    queries.clear();
    queries.setQueryData(meQuery.queryKey, me);
    const next = nextPath(search.next);
    // The description of the API is no page of the console.
    if (next.startsWith("/api/")) location.replace(next);
    else await navigate({ to: next, replace: true });
  };
  const claim = useMutation({ mutationFn: (token: string) => postJson<Me>("/sign-in", { token }), onSuccess: enter });
  const passkey = useMutation({ mutationFn: signInWithPasskey, onSuccess: enter });
  const organisation = useQuery(signInWaysQuery).data?.organisation;
  const goThere = useMutation({
    mutationFn: () => postJson<OrganisationSignIn>("/sign-in/organisation/options"),
    onSuccess: ({ address }) => location.assign(address),
  });
  usePageTitle("Sign in");
  const begun = useRef(false);
  const { mutate } = claim;

  useEffect(() => {
    const token = location.hash.slice(1);
    if (token === "" || begun.current) return;
    begun.current = true;
    // The token leaves the address bar and the history before anything else happens to it.
    history.replaceState(history.state, "", location.pathname + location.search);
    mutate(token);
  }, [mutate]);

  return (
    <main className="sign-in" id="main">
      <div className="sign-in-card panel">
        <div className="sign-in-brand">
          <KeepMark />
          <span className="brand-name">Meterkeep</span>
        </div>
        {claim.isPending || claim.isSuccess ? (
          <h1>Signing you in …</h1>
        ) : (
          <>
            <h1>Open the link from your terminal</h1>
            <p>
              <code>npm start</code> printed a link that signs you in. It works once. There is no password to guess and
              no account to make.
            </p>
            {claim.error === null ? null : <Failure error={claim.error} />}
            {passkeysHere() ? (
              <button
                type="button"
                className="button primary"
                disabled={passkey.isPending}
                onClick={() => passkey.mutate()}
              >
                <IconFingerprint size={18} aria-hidden />{" "}
                {passkey.isPending ? "Waiting for your passkey …" : "Use a passkey"}
              </button>
            ) : null}
            {passkey.error === null ? null : <Failure error={passkeyFailure(passkey.error)} />}
            {organisation === undefined ? null : (
              <button type="button" className="button" disabled={goThere.isPending} onClick={() => goThere.mutate()}>
                <IconBuilding size={18} aria-hidden /> Sign in with {organisation}
              </button>
            )}
            {goThere.error === null ? null : <Failure error={goThere.error} />}
            <div className="sign-in-lost">
              <h2>The link is gone, or was used?</h2>
              <p className="dim">
                On the machine that runs Meterkeep, this prints a new one; it ends all sessions of the administrator and
                deletes the administrator's passkeys. With the --state that it was started with, if there was one:
              </p>
              <Command text="npx meterkeep admin recover" />
            </div>
          </>
        )}
      </div>
    </main>
  );
}

async function signInWithPasskey(): Promise<Me> {
  const [{ startAuthentication }, { challengeId, options }] = await Promise.all([
    import("@simplewebauthn/browser"),
    postJson<PasskeyOptions>("/sign-in/passkey/options"),
  ]);
  const response = await startAuthentication({ optionsJSON: options as never });
  return postJson<Me>("/sign-in/passkey", { challengeId, response });
}

/** Browsers offer passkeys on names only, never on IP addresses. */
function passkeysHere(): boolean {
  return typeof PublicKeyCredential === "function" && !/^[\d.:[\]]+$/.test(location.hostname);
}

function passkeyFailure(error: Error): Error {
  if (error instanceof RequestError) return error;
  return new Error(
    "No passkey was used. If none is stored for this address, sign in by a link and add one in your account.",
  );
}
