import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { configQuery } from "../api/queries.ts";
import { reaching } from "./reaching.ts";

/** A command to type, with a button that copies it. The frame reads what it takes to reach this installation. */
export function Command({ text: plain }: { text: string }) {
  const { data } = useQuery({ ...configQuery, enabled: false });
  const text = reaching(plain, data?.commandOptions ?? "");
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div className="command">
      <code>{text}</code>
      <button type="button" onClick={() => void copy()} aria-label={copied ? "Copied" : `Copy: ${text}`}>
        {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
      </button>
    </div>
  );
}
