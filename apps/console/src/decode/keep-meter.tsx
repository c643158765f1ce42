/** *Keep this meter*: seals its keys to the custodian here, and only then sends them. */
import type { AttachMeter, MeterSummary, RecipientKeys } from "@meterkeep/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { overviewQuery, pushSourcesQuery } from "../api/queries.ts";
import { getJson, postJson } from "../api/request.ts";
import { Command } from "../shell/command.tsx";
import { Failure } from "../shell/failure.tsx";
import { MeterLink } from "../shell/meter-link.tsx";
import { TextField } from "../shell/text-field.tsx";
import { sealKeys } from "./seal-keys.ts";

interface KeepMeterProps {
  readonly systemTitle: string;
  readonly suggestedLabel: string;
  readonly layout: string | undefined;
  readonly encryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array | undefined;
  readonly isExample: boolean;
}

export function KeepMeter(props: KeepMeterProps) {
  const { systemTitle, suggestedLabel, layout, encryptionKey, authenticationKey, isExample } = props;
  const queries = useQueryClient();
  const [label, setLabel] = useState(suggestedLabel);
  const keep = useMutation({
    mutationFn: async () => {
      const recipient = await getJson<RecipientKeys>("/custodian/recipient");
      const sealed = await sealKeys(recipient, systemTitle, { encryptionKey, authenticationKey });
      const meter: AttachMeter = { systemTitle, label, sealed, ...(layout === undefined ? {} : { layout }) };
      return postJson<MeterSummary>("/meters", meter);
    },
    onSuccess: () =>
      Promise.all(
        [overviewQuery, pushSourcesQuery].map(({ queryKey }) => queries.invalidateQueries({ queryKey: [...queryKey] })),
      ),
  });
  if (keep.data !== undefined)
    return (
      <section className="panel keep" aria-labelledby="kept-title">
        <div className="panel-head">
          <h2 id="kept-title">Kept</h2>
        </div>
        <div className="panel-body" role="status">
          <p>
            <MeterLink systemTitle={keep.data.systemTitle} label={keep.data.label} /> stands beside the town now. Its
            keys are in the custodian. Let its telegrams come in, over a serial gateway or the push port:
          </p>
          <Command text="npm start -- --listen 0.0.0.0" />
        </div>
      </section>
    );
  return (
    <section className="panel keep" aria-labelledby="keep-title">
      <div className="panel-head">
        <h2 id="keep-title">Keep this meter</h2>
      </div>
      <form
        className="panel-body"
        onSubmit={(event) => {
          event.preventDefault();
          keep.mutate();
        }}
      >
        <p>
          Its keys are sealed in this browser to the custodian's public key, and sent only so. The head-end carries them
          and cannot open them.{" "}
          {authenticationKey === undefined
            ? "Without its authentication key its telegrams count as confidential only."
            : "With both keys its telegrams can be authenticated."}
          {isExample ? " This one is an example of ours: its keys are published." : ""}
        </p>
        <TextField label="What you call it" required maxLength={80} value={label} change={setLabel} />
        <button type="submit" className="button primary" disabled={keep.isPending}>
          {keep.isPending ? "Sealing …" : "Seal its keys and keep it"}
        </button>
        {keep.error === null ? null : <Failure error={keep.error} />}
      </form>
    </section>
  );
}
