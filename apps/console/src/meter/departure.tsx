/** A meter that leaves: retired, given to another owner, given back. Asked for here, signed at the custodian, then carried out here. */
import type { Departure, DepartureOrder } from "@meterkeep/api";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useState } from "react";
import { departuresQuery } from "../api/meter-queries.ts";
import { meQuery, meterQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { TextField } from "../shell/text-field.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { SignLink } from "../work/sign-link.tsx";
import { offerFile } from "./offer-file.ts";
import "../work/work.css";

const HOW = {
  retired: "Retire it for good: it does not come back",
  transferred: "Give it to another owner",
  returned: "Give it back to its maker",
} as const satisfies Record<Departure["how"], string>;

/** The keys of who gets the meter, as its recipient.json has them. */
type RecipientKeys = Pick<NonNullable<DepartureOrder["recipient"]>, "ecdhPublicKey" | "mlkemPublicKey">;

export function LeaveMeter({ systemTitle }: { systemTitle: string }) {
  const { data: me } = useSuspenseQuery(meQuery);
  const departures = useQuery(departuresQuery(systemTitle)).data?.departures ?? [];
  const open = departures.filter(({ state }) => state === "waiting" || state === "approved");
  const queries = useQueryClient();
  const ask = useMutation({
    mutationFn: (order: DepartureOrder) => steppedUp(() => postJson<Departure>("/departures", order)),
    onSuccess: async (departure) => {
      if (departure.transfer !== undefined) offerTransfer(systemTitle, departure.transfer);
      await queries.invalidateQueries({ queryKey: departuresQuery(systemTitle).queryKey });
      await queries.invalidateQueries({ queryKey: meterQuery(systemTitle).queryKey });
    },
  });
  if (!me.scopes.includes("request") && open.length === 0) return null;
  return (
    <Panel name="leave" title="This meter leaves">
      <div className="panel-body">
        {open.map(({ change, ...departure }) => (
          <div key={change} role="status">
            <p>
              Asked for by {departure.requester}: {departure.words}.{" "}
              {departure.approvedBy.length === 0
                ? "Nobody has signed it."
                : `Signed by ${departure.approvedBy.join(", ")}.`}{" "}
              {departure.missing ?? "Ask for the same again, and it is done."}
            </p>
            {departure.state === "waiting" ? (
              <SignLink
                manifest={{ hash: change, ...(departure.page !== undefined && { page: departure.page }) }}
                words={departure.words}
              />
            ) : null}
          </div>
        ))}
        {me.scopes.includes("request") ? <LeaveForm systemTitle={systemTitle} ask={ask} /> : null}
        {ask.error === null ? null : <Failure error={ask.error} />}
      </div>
    </Panel>
  );
}

interface LeaveFormProps {
  readonly systemTitle: string;
  readonly ask: { readonly isPending: boolean; mutate(order: DepartureOrder): void };
}

function LeaveForm({ systemTitle, ask }: LeaveFormProps) {
  const [how, setHow] = useState<Departure["how"]>("retired");
  const [reason, setReason] = useState("");
  const [from, setFrom] = useState({ flag: "", name: "" });
  const [to, setTo] = useState("");
  const [keys, setKeys] = useState<RecipientKeys>();
  const isGiven = how !== "retired";
  const order = orderOf(systemTitle, { how, reason, from, to, keys });
  return (
    <form
      className="work-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (order !== undefined) ask.mutate(order);
      }}
    >
      <label className="wide">
        How
        <select
          className="field"
          value={how}
          onChange={(event) => setHow(event.currentTarget.value as Departure["how"])}
        >
          {Object.entries(HOW).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <TextField wide label="Reason" maxLength={200} value={reason} change={setReason} />
      {isGiven ? (
        <>
          <TextField label="Who gets it" maxLength={64} value={to} change={setTo} />
          <label>
            Its recipient.json
            <input
              className="field"
              type="file"
              accept="application/json,.json"
              onChange={(event) => void readKeys(event.currentTarget.files?.[0]).then(setKeys)}
            />
          </label>
          <TextField
            label="Who gives it"
            maxLength={64}
            value={from.name}
            change={(name) => setFrom({ ...from, name })}
          />
          <TextField
            label="Three letters of who gives it"
            maxLength={3}
            value={from.flag}
            change={(flag) => setFrom({ ...from, flag: flag.toUpperCase() })}
          />
        </>
      ) : null}
      <p className="wide dim">
        Two people sign it at the custodian. Then the same is asked for once more, and its keys are used no more here.
      </p>
      <button type="submit" className="button" disabled={order === undefined || ask.isPending}>
        {isGiven ? "Give it away" : "Retire it"}
      </button>
    </form>
  );
}

interface Draft {
  readonly how: Departure["how"];
  readonly reason: string;
  readonly from: { readonly flag: string; readonly name: string };
  readonly to: string;
  readonly keys: RecipientKeys | undefined;
}

/** What is asked for; undefined while something is missing. */
function orderOf(systemTitle: string, { how, reason, from, to, keys }: Draft): DepartureOrder | undefined {
  if (reason.trim() === "") return undefined;
  const order = { meters: [systemTitle], how, reason: reason.trim() };
  if (how === "retired") return order;
  if (keys === undefined || to.trim() === "" || from.name.trim() === "" || !/^[A-Z]{3}$/.test(from.flag))
    return undefined;
  return {
    ...order,
    sender: { flag: from.flag, name: from.name.trim() },
    recipient: { name: to.trim(), ...keys },
  };
}

/** Undefined where a file is no recipient.json. */
async function readKeys(file: File | undefined): Promise<RecipientKeys | undefined> {
  try {
    const { ecdhPublicKey, mlkemPublicKey } = JSON.parse((await file?.text()) ?? "") as Partial<RecipientKeys>;
    return ecdhPublicKey === undefined || mlkemPublicKey === undefined ? undefined : { ecdhPublicKey, mlkemPublicKey };
  } catch {
    return undefined;
  }
}

function offerTransfer(systemTitle: string, { file, sender }: NonNullable<Departure["transfer"]>): void {
  const octets = Uint8Array.from(atob(file.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  offerFile(`${systemTitle}.mks`, octets);
  offerFile(`${systemTitle}.mks.sender.json`, new TextEncoder().encode(JSON.stringify(sender)));
}
