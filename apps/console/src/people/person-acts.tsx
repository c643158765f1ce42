import { type PersonLeft, type PersonView, ROLE_NAMES, type RoleName, type SignInLink } from "@meterkeep/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { peopleQuery } from "../api/queries.ts";
import { deleteResource, postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { OnceLink } from "./once-link.tsx";
import { RoleChoice } from "./role-choice.tsx";

/** What an administrator does about one person: other roles, a new login, or letting them go. */
export function PersonActs({ person: { id, name, roles } }: { person: PersonView }) {
  const queries = useQueryClient();
  const [open, setOpen] = useState<"roles" | "leave" | undefined>(undefined);
  const [chosen, choose] = useState<readonly RoleName[]>(() => ROLE_NAMES.filter((role) => roles.includes(role)));
  const again = { onSettled: () => void queries.invalidateQueries({ queryKey: peopleQuery.queryKey }) };
  const change = useMutation({
    ...again,
    mutationFn: () => steppedUp(() => postJson<PersonView>(`/people/${id}/roles`, { roles: chosen })),
    onSuccess: () => setOpen(undefined),
  });
  const renew = useMutation({
    ...again,
    mutationFn: () => steppedUp(() => postJson<SignInLink>(`/people/${id}/login`)),
  });
  const dismiss = useMutation({
    ...again,
    mutationFn: () => steppedUp(() => deleteResource<PersonLeft>(`/people/${id}`)),
  });
  const error = change.error ?? renew.error ?? dismiss.error;
  return (
    <div className="person-acts">
      <button
        type="button"
        className="text-button"
        aria-expanded={open === "roles"}
        onClick={() => setOpen(open === "roles" ? undefined : "roles")}
      >
        Roles<span className="visually-hidden"> of {name}</span>
      </button>
      <button type="button" className="text-button" disabled={renew.isPending} onClick={() => renew.mutate()}>
        New login<span className="visually-hidden"> for {name}</span>
      </button>
      <button
        type="button"
        className="text-button"
        aria-expanded={open === "leave"}
        onClick={() => setOpen(open === "leave" ? undefined : "leave")}
      >
        Let go<span className="visually-hidden"> of {name}</span>
      </button>
      {open === "roles" ? (
        <div className="person-act">
          <RoleChoice legend={`Roles of ${name}`} chosen={chosen} choose={choose} />
          <button
            type="button"
            className="button"
            disabled={change.isPending || chosen.length === 0}
            onClick={() => change.mutate()}
          >
            Give {name} these roles
          </button>
        </div>
      ) : null}
      {open === "leave" ? (
        <div className="person-act">
          <p>
            {name}'s sessions, links, passkeys and tokens end at once; the custodian takes no approval of theirs any
            more, and changes the keys in their handhelds.
          </p>
          <button type="button" className="button danger" disabled={dismiss.isPending} onClick={() => dismiss.mutate()}>
            {dismiss.isPending ? `Ending what is ${name}'s …` : `End everything of ${name}`}
          </button>
        </div>
      ) : null}
      {renew.data === undefined ? null : <OnceLink name={name} url={renew.data.url} />}
      {dismiss.data === undefined ? null : (
        <ul role="status">
          {dismiss.data.undone.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      {error === null ? null : <Failure error={error} />}
    </div>
  );
}
