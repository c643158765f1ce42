/** Who is signed in, with which passkeys, and the way out. */
import type { CustodianSummary, Passkey, PasskeyOptions } from "@meterkeep/api";
import { IconFingerprint } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { configQuery, meQuery, overviewQuery, passkeysQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { counted } from "../format/quantity.ts";
import { localTime, useLiveStore } from "../live/live-context.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { Machines } from "./machines.tsx";
import { steppedUp } from "./step-up.ts";
import "./sign-in.css";

export function AccountPage() {
  const queries = useQueryClient();
  const live = useLiveStore();
  const { data: me } = useSuspenseQuery(meQuery);
  const { data: config } = useQuery(configQuery);
  const custodian = useQuery(overviewQuery).data?.custodian;
  const { data: list } = useQuery(passkeysQuery);
  usePageTitle("Your account");
  const enrol = useMutation({
    mutationFn: () => steppedUp(addPasskey),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: passkeysQuery.queryKey });
      void queries.invalidateQueries({ queryKey: meQuery.queryKey });
    },
  });
  const leave = useMutation({
    mutationFn: () => postJson<void>("/sign-out"),
    onSuccess: () => {
      live.close();
      // A full load drops everything this page knew.
      location.assign("/sign-in");
    },
  });
  const passkeys = list?.passkeys ?? [];
  return (
    <>
      <PageHead
        title={me.name}
        lede={
          <>
            {me.roles.join(", ")}
            {me.signedInAt === undefined ? "" : `, signed in ${localTime.full(me.signedInAt)}`}
            {me.expiresAt === undefined ? "" : `, until ${localTime.full(me.expiresAt)}`}
          </>
        }
      >
        <button type="button" className="button" disabled={leave.isPending} onClick={() => leave.mutate()}>
          Sign out
        </button>
      </PageHead>
      <div className="account-grid">
        <Panel name="passkeys" title="Passkeys">
          <div className="panel-body account-body">
            {passkeys.length === 0 ? (
              <p>You came by a link that works once. With a passkey you need no link the next time.</p>
            ) : (
              <ul>
                {passkeys.map(({ id, name, createdAt, lastUsedAt }) => (
                  <li key={id}>
                    {name}{" "}
                    <span className="dim">
                      added {localTime.full(createdAt)}
                      {lastUsedAt === undefined ? ", not used yet" : `, used ${localTime.full(lastUsedAt)}`}
                    </span>
                  </li>
                ))}
              </ul>
            )}
            {config?.passkeys === false ? (
              <p className="dim">
                Passkeys need a name in the address, such as localhost. Open <code>{config.url}</code>.
              </p>
            ) : (
              <button type="button" className="button" disabled={enrol.isPending} onClick={() => enrol.mutate()}>
                <IconFingerprint size={18} aria-hidden />{" "}
                {enrol.isPending ? "Waiting for your device …" : "Add a passkey"}
              </button>
            )}
            {enrol.error === null ? null : <Failure error={enrol.error} />}
          </div>
        </Panel>
        <Machines />
        {config === undefined ? null : (
          <Panel name="installation" title="This installation">
            <dl className="panel-body facts">
              <dt>Version</dt>
              <dd>{config.version}</dd>
              <dt>Utility</dt>
              <dd>
                {config.utility}, island {config.island}
              </dd>
              <dt>Custodian</dt>
              <dd>{custodian === undefined ? "" : custodianSentence(custodian)}</dd>
              <dt>Address</dt>
              <dd>{config.url}</dd>
              <dt>Push, TCP</dt>
              <dd>{config.pushListen.tcp ?? "not listening"}</dd>
              <dt>Push, UDP</dt>
              <dd>{config.pushListen.udp ?? "not listening"}</dd>
              <dt>Reach</dt>
              <dd>{config.pushListen.lan ? "open to the local network" : "this machine only"}</dd>
            </dl>
          </Panel>
        )}
      </div>
    </>
  );
}

const VAULTS = { software: "software vault", tokens: "vault in PKCS#11 tokens" } as const;

const ROOT_KEYS = {
  file: "root key in a file of its own",
  passphrase: "root key from a passphrase",
  tokens: "root key inside the tokens",
} as const;

function custodianSentence(custodian: CustodianSummary): string {
  if (!custodian.reachable) return "does not answer";
  return [
    custodian.vault === undefined ? "vault unknown" : VAULTS[custodian.vault],
    custodian.rootKey === undefined ? "root key unknown" : ROOT_KEYS[custodian.rootKey],
    custodian.separateUser === true ? "a user of its own" : "no user of its own",
    `keys of ${counted(custodian.meters ?? 0, "meter")}`,
    custodian.killSwitch === true ? "kill switch on" : "kill switch off",
  ].join(", ");
}

async function addPasskey(): Promise<Passkey> {
  const [{ startRegistration }, { challengeId, options }] = await Promise.all([
    import("@simplewebauthn/browser"),
    postJson<PasskeyOptions>("/passkeys/options"),
  ]);
  const response = await startRegistration({ optionsJSON: options as never });
  return postJson<Passkey>("/passkeys", { challengeId, name: deviceName(), response });
}

/** A name to tell passkeys apart by; the browser knows no better one than its platform. */
function deviceName(): string {
  const platform = /Mac|iPhone|iPad|Windows|Android|Linux/.exec(navigator.userAgent)?.[0] ?? "device";
  return `${platform}, ${localTime.day(Date.now())}`;
}
