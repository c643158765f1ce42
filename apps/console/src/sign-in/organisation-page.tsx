/** Where the organisation's provider sends people back: its answer goes to the server, and nowhere else. */
import type { Me } from "@meterkeep/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { meQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import "./sign-in.css";

export function OrganisationPage() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  usePageTitle("Sign in");
  const { mutate, error } = useMutation({
    mutationFn: (answer: string) => postJson<Me>("/sign-in/organisation", { answer }),
    onSuccess: async (me) => {
      queries.clear();
      queries.setQueryData(meQuery.queryKey, me);
      await navigate({ to: "/", replace: true });
    },
  });
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    const answer = location.search;
    // The code leaves the address bar and the history before anything else happens to it.
    history.replaceState(history.state, "", location.pathname);
    mutate(answer === "" ? "?" : answer);
  }, [mutate]);
  return (
    <main className="sign-in" id="main">
      <div className="sign-in-card panel">
        <h1>{error === null ? "Signing you in …" : "You are not signed in"}</h1>
        {error === null ? null : (
          <>
            <Failure error={error} />
            <a href="/sign-in">Sign in another way</a>
          </>
        )}
      </div>
    </main>
  );
}
