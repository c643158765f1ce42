/** The parameters of an operation as fields of their own: numbers with their bounds, words to choose, times, lists that grow. */
import type { ParameterShape } from "@meterkeep/api";
import type { ReactNode } from "react";
import { keyed } from "../shell/keyed.ts";
import { TextField } from "../shell/text-field.tsx";
import { initialOf, labelOf, momentOf, momentText, numberOf, type Parameters } from "./parameter-shape.ts";

interface FieldProps<S extends ParameterShape = ParameterShape> {
  readonly shape: S;
  readonly label: string;
  readonly value: unknown;
  readonly change: (value: unknown) => void;
  /** It may be left empty. */
  readonly optional?: boolean;
}
type Of<K extends ParameterShape["kind"]> = FieldProps<Extract<ParameterShape, { kind: K }>>;

/** All parameters of an operation, each in a field that fits it. The browser itself says what is missing or out of bounds. */
export function ParameterFields({
  shape,
  parameters,
  change,
}: {
  readonly shape: ParameterShape;
  readonly parameters: Parameters;
  readonly change: (parameters: Parameters) => void;
}) {
  if (shape.kind !== "object") return null;
  return <Fields shape={shape} label="" value={parameters} change={(value) => change(value as Parameters)} />;
}

function Fields({ shape, value, change }: Of<"object">) {
  const present = recordIn(value);
  return shape.fields.map(({ name, of }) => (
    <OneField
      key={name}
      shape={of}
      label={labelOf(name)}
      value={present[name]}
      change={(next) => change({ ...present, [name]: next })}
    />
  ));
}

function OneField(props: FieldProps): ReactNode {
  const { shape, label, value, change, optional = false } = props;
  switch (shape.kind) {
    case "text":
      return <Line {...props} maxLength={shape.most} />;
    case "pattern":
      return <Line {...props} pattern={shape.pattern} title={shape.what} />;
    case "whole":
      return (
        <TextField
          label={label}
          type="number"
          step={1}
          min={shape.min}
          max={shape.max}
          required={!optional}
          value={typeof value === "number" ? String(value) : ""}
          change={(text) => change(numberOf(text))}
        />
      );
    case "time":
      return (
        <TextField
          label={`${label}, in UTC`}
          type="datetime-local"
          required={!optional}
          value={momentText(value)}
          change={(text) => change(momentOf(text, shape.as))}
        />
      );
    case "words":
      return (
        <Choice label={label} words={shape.words} value={typeof value === "string" ? value : ""} change={change} />
      );
    case "truth":
      return (
        <label className="check">
          <input type="checkbox" checked={value === true} onChange={(event) => change(event.currentTarget.checked)} />
          {label}
        </label>
      );
    case "list":
      return <List {...props} shape={shape} />;
    case "object":
      return (
        <fieldset className="wide parameter-group">
          <legend>{label}</legend>
          <Fields {...props} shape={shape} />
        </fieldset>
      );
    case "tagged":
      return <Tagged {...props} shape={shape} />;
    case "optional":
      return <Optional {...props} shape={shape} />;
    default:
      return shape satisfies never;
  }
}

function Line({
  label,
  value,
  change,
  optional = false,
  maxLength,
  pattern,
  title,
}: FieldProps & { readonly maxLength?: number; readonly pattern?: string; readonly title?: string }) {
  return (
    <TextField
      label={label}
      spellCheck={false}
      required={!optional && pattern !== undefined && !new RegExp(pattern).test("")}
      {...(maxLength !== undefined && { maxLength })}
      {...(pattern !== undefined && { pattern, title })}
      value={typeof value === "string" ? value : ""}
      change={(text) => change(optional && text === "" ? undefined : text)}
    />
  );
}

function Choice({
  label,
  words,
  value,
  change,
}: {
  readonly label: string;
  readonly words: readonly string[];
  readonly value: string;
  readonly change: (word: string) => void;
}) {
  return (
    <label>
      {label}
      <select className="field" value={value} onChange={(event) => change(event.currentTarget.value)}>
        {words.map((word) => (
          <option key={word} value={word}>
            {word.replaceAll("-", " ")}
          </option>
        ))}
      </select>
    </label>
  );
}

function List({ shape, label, value, change }: Of<"list">) {
  const present = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const isFixed = shape.min === shape.most;
  return (
    <fieldset className="wide parameter-group">
      <legend>{label}</legend>
      {keyed(present).map(({ key, item }, at) => (
        <div key={key} className="parameter-item">
          <OneField
            shape={shape.of}
            label={`${label} ${at + 1}`}
            value={item}
            change={(next) => change(present.map((each, place) => (place === at ? next : each)))}
          />
          {isFixed ? null : (
            <button
              type="button"
              className="button"
              disabled={present.length <= shape.min}
              onClick={() => change(present.filter((_, place) => place !== at))}
            >
              Remove<span className="visually-hidden">{` ${label} ${at + 1}`}</span>
            </button>
          )}
        </div>
      ))}
      {isFixed ? null : (
        <button
          type="button"
          className="button"
          disabled={present.length >= shape.most}
          onClick={() => change([...present, initialOf(shape.of)])}
        >
          Add<span className="visually-hidden">{` to ${label}`}</span>
        </button>
      )}
    </fieldset>
  );
}

/** A value whose type is a part of it, such as one of COSEM Data. */
function Tagged({ shape, label, value, change }: Of<"tagged">) {
  const [tag = ""] = Object.keys(recordIn(value));
  const chosen = shape.cases.find(({ name }) => name === tag) ?? shape.cases[0];
  if (chosen === undefined) return null;
  return (
    <>
      <Choice
        label={`${label}: type`}
        words={shape.cases.map(({ name }) => name)}
        value={chosen.name}
        change={(name) => {
          const next = shape.cases.find((each) => each.name === name) ?? chosen;
          change({ [next.name]: initialOf(next.of) });
        }}
      />
      <OneField
        shape={chosen.of}
        label={label}
        value={recordIn(value)[chosen.name]}
        change={(next) => change({ [chosen.name]: next })}
      />
    </>
  );
}

/** What may be absent: one line is left empty, anything larger is asked for by a tick. */
function Optional({ shape, label, value, change }: Of<"optional">) {
  const { of } = shape;
  const isLine = of.kind === "text" || of.kind === "pattern" || of.kind === "whole" || of.kind === "time";
  if (isLine) return <OneField shape={of} label={`${label} (may be empty)`} value={value} change={change} optional />;
  const isGiven = value !== undefined;
  return (
    <>
      <label className="wide check">
        <input
          type="checkbox"
          checked={isGiven}
          onChange={(event) => change(event.currentTarget.checked ? initialOf(of) : undefined)}
        />
        {`Say ${label.toLowerCase()}`}
      </label>
      {isGiven ? <OneField shape={of} label={label} value={value} change={change} /> : null}
    </>
  );
}

function recordIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Parameters) : {};
}
