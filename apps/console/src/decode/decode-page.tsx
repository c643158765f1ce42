/** Paste a telegram, see what it says and what it proves. It opens on an example of ours, never on an empty form. */
import { IconLockCheck } from "@tabler/icons-react";
import { useDeferredValue, useMemo, useState } from "react";
import { counted } from "../format/quantity.ts";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { decodeView } from "./decode-telegram.ts";
import { EXAMPLES, type Example } from "./examples.ts";
import { readKey } from "./hex-input.ts";
import { KeepMeter } from "./keep-meter.tsx";
import { RefusalView, TelegramView } from "./telegram-view.tsx";
import "./decode.css";

export function DecodePage() {
  const [input, setInput] = useState<Omit<Example, "name" | "says">>(EXAMPLES[0]);
  usePageTitle("Decode");
  const used = useDeferredValue(input);
  const view = useMemo(() => decodeView(used), [used]);
  const guek = readKey(input.encryptionKey);
  const gak = readKey(input.authenticationKey);
  const example = EXAMPLES.find((one) => one.octets === input.octets);
  const telegrams = view.kind === "decoded" ? view.result.telegrams : [];
  const titled = telegrams.find(({ meter }) => meter.systemTitle !== null);

  return (
    <>
      <PageHead
        title="Decode a telegram"
        lede="Paste what a meter sent. It is decoded in this browser by the library that the head-end uses."
      >
        <span className="mark">
          <IconLockCheck size={14} aria-hidden /> nothing you paste is sent
        </span>
      </PageHead>
      <div className="decode-grid">
        <Panel
          name="telegram"
          title="Telegram"
          beside={example === undefined ? null : <span className="mark">example: {example.name}</span>}
        >
          <div className="panel-body decode-form">
            <label>
              Octets in hex, or a P1 telegram as text
              <textarea
                className="field octet-field"
                rows={12}
                spellCheck={false}
                autoComplete="off"
                value={input.octets}
                onChange={(event) => setInput({ ...input, octets: event.currentTarget.value })}
              />
            </label>
            <KeyField
              label="Encryption key (GUEK)"
              value={input.encryptionKey}
              problem={guek.kind === "unreadable" ? guek.message : undefined}
              onChange={(encryptionKey) => setInput({ ...input, encryptionKey })}
            />
            <KeyField
              label="Authentication key (GAK)"
              value={input.authenticationKey}
              problem={gak.kind === "unreadable" ? gak.message : undefined}
              onChange={(authenticationKey) => setInput({ ...input, authenticationKey })}
            />
            <label className="file-button button">
              Open a file
              <input
                type="file"
                className="visually-hidden"
                onChange={(event) => {
                  const [file] = event.currentTarget.files ?? [];
                  if (file !== undefined) void octetsOfFile(file).then((octets) => setInput({ ...input, octets }));
                }}
              />
            </label>
          </div>
          <div className="examples">
            <h3>Examples, made by our own virtual meters</h3>
            <ul>
              {EXAMPLES.map((one) => (
                <li key={one.name}>
                  <button
                    type="button"
                    className="example"
                    aria-pressed={one.octets === input.octets}
                    onClick={() => setInput(one)}
                  >
                    <strong>{one.name}</strong>
                    <span>{one.says}</span>
                  </button>
                </li>
              ))}
            </ul>
          </div>
        </Panel>
        <div className="decode-result" aria-live="polite">
          {view.kind === "decoded" ? (
            <>
              {view.result.refusals.map((refusal) => (
                <RefusalView key={`${refusal.code} ${refusal.offset}`} refusal={refusal} />
              ))}
              {telegrams.map((telegram) => (
                <TelegramView key={telegram.link.offset} telegram={telegram} />
              ))}
              {view.result.noise.length === 0 ? null : (
                <p className="dim">
                  {counted(
                    view.result.noise.reduce((sum, { length }) => sum + length, 0),
                    "octet",
                  )}{" "}
                  belong to no telegram.
                </p>
              )}
            </>
          ) : view.kind === "unreadable" ? (
            <section className="panel refusal" aria-labelledby="unreadable-title">
              <div className="panel-head">
                <h2 id="unreadable-title">Not octets</h2>
              </div>
              <p className="panel-body">{view.message}</p>
            </section>
          ) : (
            <Panel name="blank" title="Nothing to decode">
              <p className="panel-body dim">Paste octets on the left, or take one of the examples.</p>
            </Panel>
          )}
          {titled === undefined || titled.meter.systemTitle === null || guek.kind !== "key" ? null : (
            <KeepMeter
              key={titled.meter.systemTitle}
              systemTitle={titled.meter.systemTitle}
              suggestedLabel={titled.meter.number ?? titled.meter.systemTitle}
              layout={titled.layout.id ?? undefined}
              encryptionKey={guek.bytes}
              authenticationKey={gak.kind === "key" ? gak.bytes : undefined}
              isExample={example !== undefined}
            />
          )}
        </div>
      </div>
    </>
  );
}

interface KeyFieldProps {
  readonly label: string;
  readonly value: string;
  readonly problem: string | undefined;
  readonly onChange: (value: string) => void;
}

/** A key is typed into a password field, so that it is neither shown to a bystander nor kept by the browser's form memory. */
function KeyField({ label, value, problem, onChange }: KeyFieldProps) {
  const [shown, setShown] = useState(false);
  const id = label.replaceAll(/[^a-z]/gi, "");
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      <div className="key-field">
        <input
          id={id}
          className="field octet-field"
          type={shown ? "text" : "password"}
          autoComplete="off"
          spellCheck={false}
          placeholder="32 hex digits, where you have it"
          value={value}
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? undefined : `${id}-problem`}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
        <button
          type="button"
          className="text-button"
          onClick={() => setShown(!shown)}
          aria-label={`${shown ? "Hide" : "Show"} the ${label}`}
        >
          {shown ? "Hide" : "Show"}
        </button>
      </div>
      {problem === undefined ? null : (
        <p className="field-problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  );
}

/** A file of hex or P1 text as it is; anything else as the hex of its octets. */
async function octetsOfFile(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = new TextDecoder("latin1").decode(bytes);
  if (/^\s*\//.test(text) || /^[0-9a-fx\s:,;.\-_]+$/i.test(text)) return text;
  return [...bytes].map((octet) => octet.toString(16).padStart(2, "0").toUpperCase()).join(" ");
}
