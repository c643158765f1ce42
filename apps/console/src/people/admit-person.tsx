import type { AdmittedPerson, RoleName } from "@meterkeep/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { peopleQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { TextField } from "../shell/text-field.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { OnceLink } from "./once-link.tsx";
import { RoleChoice } from "./role-choice.tsx";

/** Admits somebody; what comes back is a link that works once, to be handed to them. */
export function AdmitPerson() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [subject, setSubject] = useState("");
  const [roles, setRoles] = useState<readonly RoleName[]>(["operator"]);
  const admit = useMutation({
    mutationFn: () =>
      steppedUp(() => postJson<AdmittedPerson>("/people", { name, roles, ...(subject === "" ? {} : { subject }) })),
    onSuccess: () => {
      setName("");
      setSubject("");
      void queries.invalidateQueries({ queryKey: peopleQuery.queryKey });
    },
  });
  return (
    <Panel name="admit" title="Admit somebody">
      <form
        className="panel-body people-form"
        onSubmit={(event) => {
          event.preventDefault();
          admit.mutate();
        }}
      >
        <TextField
          label="Name, for good"
          required
          minLength={2}
          maxLength={80}
          autoComplete="off"
          value={name}
          change={setName}
        />
        <TextField
          label={
            <>
              Their <code>sub</code> at your organisation's provider, if they come by it
            </>
          }
          maxLength={255}
          autoComplete="off"
          value={subject}
          change={setSubject}
        />
        <RoleChoice legend="Roles" chosen={roles} choose={setRoles} />
        <button type="submit" className="button primary" disabled={admit.isPending || roles.length === 0}>
          {admit.isPending ? "Admitting …" : "Admit"}
        </button>
        {admit.error === null ? null : <Failure error={admit.error} />}
        {admit.data === undefined ? null : <OnceLink name={admit.data.person.name} url={admit.data.url} />}
      </form>
    </Panel>
  );
}
