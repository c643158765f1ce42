import type { ReactNode } from "react";

/** A part of a page under a heading of its own, which names it for who listens instead of looking. */
export function Panel({
  name,
  title,
  beside,
  children,
}: {
  /** Of the part within its page; `NAME-title` is the heading's id. */
  name: string;
  title: ReactNode;
  /** What stands in the heading's line. */
  beside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="panel" aria-labelledby={`${name}-title`}>
      <div className="panel-head">
        <h2 id={`${name}-title`}>{title}</h2>
        {beside}
      </div>
      {children}
    </section>
  );
}
