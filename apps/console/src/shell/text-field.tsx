import type { ComponentProps, ReactNode } from "react";

type TextFieldProps = Omit<ComponentProps<"input">, "className" | "onChange" | "type" | "value"> & {
  readonly label: ReactNode;
  readonly value: string;
  readonly change: (value: string) => void;
  /** A number or a moment is written as one. */
  readonly type?: "number" | "datetime-local";
  /** Over the whole width of its form. */
  readonly wide?: boolean;
};

/** One line under its label: of words, or a number, or a moment. */
export function TextField({ label, change, wide = false, ...input }: TextFieldProps) {
  return (
    <label {...(wide && { className: "wide" })}>
      {label}
      <input className="field" {...input} onChange={(event) => change(event.currentTarget.value)} />
    </label>
  );
}
