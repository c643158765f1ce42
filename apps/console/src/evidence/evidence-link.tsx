import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

/** A number that opens what it rests on; without evidence it is only a number. */
export function EvidenceLink({
  hash,
  label,
  children,
}: {
  hash: string | undefined;
  label?: string;
  children: ReactNode;
}) {
  if (hash === undefined) return <>{children}</>;
  return (
    <Link
      to="."
      search={(before) => ({ ...before, evidence: hash })}
      resetScroll={false}
      className="evidence-link"
      title={label ?? "Show the octets this rests on"}
    >
      {children}
    </Link>
  );
}
